/** What the 80386 and later do otherwise than the 80286, as far as the cases meet it. SDM vol 3B §22 */
import { OpKind } from '@vmm/decoder';
import type { Instruction } from '@vmm/decoder';
import type { SingleStepCase } from './moo.ts';

const DE = 0, UD = 6, SS = 12, GP = 13, FS = 4;
const LOCK = 0xf0, LONGEST_286 = 10;
/** What may be locked since the 80386: read-modify-write with a memory operand. */
const LOCKABLE = new Set('add adc and or sbb sub xor not neg inc dec xchg'.split(' '));

/** The reason, or undefined where both must agree. */
export function laterProcessorsDiffer(test: SingleStepCase, inst: Instruction | undefined): string | undefined {
  const prefixes = test.code.slice(0, test.code.findIndex((byte) => ![0x26, 0x2e, 0x36, 0x3e, 0xf0, 0xf2, 0xf3].includes(byte)));
  if (prefixes.includes(LOCK) && !(inst !== undefined && LOCKABLE.has(inst.row.mnemonic) && inst.mod !== 3)) return 'LOCK with what cannot be locked: #UD since the 80386';
  if (test.code.length - 1 > LONGEST_286) return 'longer than 10 bytes: #UD on the 286, allowed since the 80386';
  if (inst?.row.mnemonic === 'mov' && inst.opCount === 2 && [0, 1].some((i) => inst.opKind[i] === OpKind.seg && (inst.opReg[i] ?? 0) >= FS)) return 'MOV with FS or GS: #UD on the 286';
  return undefined;
}

/** The same, once it is known which exception ours is. */
export function laterProcessorsDifferAfter(test: SingleStepCase, inst: Instruction | undefined, vector: number | undefined): string | undefined {
  const theirs = test.exception?.vector, mnemonic = inst?.row.mnemonic ?? '', isOverrun = vector === SS || vector === GP;
  if (theirs === GP && vector === SS) return 'an operand beyond the end of the stack segment: interrupt 13 on the 286, 12 since the 80386';
  if (theirs === GP && vector === GP && inst?.row.repeatable === true) return 'a string instruction that faults: SI, DI and CX have moved on the 286, not since the 80386';
  if (theirs === GP && vector === GP && mnemonic === 'pop') return 'POP to memory that faults: SP has moved on the 286, not since the 80386';
  if (theirs !== GP && isOverrun && hasTwoWords(inst)) return 'two words across the end of a segment: the second is at offset 0 on the 286, a fault since the 80386';
  if (theirs === GP && vector === UD && inst === undefined) return 'no instruction, but longer than 10 bytes too: which of the two counts';
  if (vector === DE && mnemonic === 'aam') return 'AAM 0: the flags have changed on the 286';
  if (theirs === undefined && vector === DE && mnemonic === 'idiv') return 'IDIV: some quotients beyond 128 go unnoticed on the 286';
  if (isWrongCapture(test)) return 'a captured stack frame with SS where CS belongs';
  return undefined;
}

function hasTwoWords(inst: Instruction | undefined): boolean {
  return inst !== undefined && (/^(bound|l[deg]s|callf|jmpf)$/.test(inst.row.mnemonic) || inst.row.mnemonic.startsWith('f') && (inst.opSizeBytes[0] ?? 0) >= 4);
}

/** Three cases; a real 286 cannot have meant it, for CS differs from SS and the next instruction came from CS. */
function isWrongCapture({ exception, before, after }: SingleStepCase): boolean {
  if (exception === undefined) return false;
  const at = (exception.flagsAt & ~1 | (after.registers.sp ?? 0) & 1) - 2, bytes = new Map(after.memory), { ss, cs } = before.registers;
  return ss !== cs && ((bytes.get(at) ?? 0) | (bytes.get(at + 1) ?? 0) << 8) === ss;
}
