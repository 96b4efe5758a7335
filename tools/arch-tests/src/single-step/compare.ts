/** Compares one case of the 80286's with what our CPU makes of it. */
import { decode, Instruction } from '@vmm/decoder';
import { undefinedFlags } from '../user-mode/undefined-flags.ts';
import { laterProcessorsDiffer, laterProcessorsDifferAfter } from './later-processors.ts';
import { REGISTERS } from './moo.ts';
import type { SingleStepCase } from './moo.ts';
import { FLAGS_286 } from './real-mode.ts';
import type { RealModeCpu } from './real-mode.ts';

export interface Verdict {
  /** Why later processors do something else; nothing was compared. */
  readonly excluded?: string;
  readonly differences: readonly string[];
}

const FLAG_BYTES = 2;
/** Their vector is no fault of ours. */
const SOFTWARE_INTERRUPTS = new Set(['int', 'int3', 'into']);

/** The address is given as the bus saw it, with an odd stack pointer one too low. */
function addressOfFlags({ exception, after }: SingleStepCase): number | undefined {
  return exception === undefined ? undefined : exception.flagsAt & ~1 | (after.registers.sp ?? 0) & 1;
}

export function judge(cpu: RealModeCpu, test: SingleStepCase): Verdict {
  const inst = new Instruction(), code = Uint8Array.from({ length: 16 }, (_, i) => test.code[i] ?? 0xf4), length = decode(code, 0, code.length, 16, inst);
  const excluded = laterProcessorsDiffer(test, length > 0 ? inst : undefined);
  if (excluded !== undefined) return { excluded, differences: [] };
  const meaningless = length > 0 ? undefinedFlags(inst, BigInt(test.before.registers.cx ?? 0)) : 0, mask = FLAGS_286 & ~meaningless;
  const { registers, vector } = cpu.run(test), differences: string[] = [], after = laterProcessorsDifferAfter(test, length > 0 ? inst : undefined, vector);
  if (after !== undefined) return { excluded: after, differences: [] };
  for (const name of REGISTERS) {
    let expected = test.after.registers[name] ?? test.before.registers[name] ?? 0, actual = registers[name] ?? 0;
    // the HLT behind every case has been executed there
    if (name === 'ip') expected = expected - (test.code[0] === 0xf4 && vector === undefined ? 0 : 1) & 0xffff;
    if (name === 'flags') { expected &= mask; actual &= mask; }
    if (expected !== actual) differences.push(`${name}: 286 ${expected.toString(16)}, ours ${actual.toString(16)}`);
  }
  if (vector !== test.exception?.vector && !SOFTWARE_INTERRUPTS.has(inst.row.mnemonic)) differences.push(`vector: 286 ${String(test.exception?.vector)}, ours ${String(vector)}`);
  const expected = new Map([...test.before.memory, ...test.after.memory]), flagsAt = addressOfFlags(test);
  for (const [at, byte] of expected) {
    const actual = cpu.read(at), isFlags = flagsAt !== undefined && at >= flagsAt && at < flagsAt + FLAG_BYTES;
    const bits = isFlags ? mask >> 8 * (at - flagsAt) & 0xff : 0xff;
    if (((byte ^ actual) & bits) !== 0) differences.push(`memory ${at.toString(16)}: 286 ${byte.toString(16)}, ours ${actual.toString(16)}`);
  }
  return { differences };
}
