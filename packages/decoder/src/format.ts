import { attText } from './format-att.ts';
import { intelText } from './format-intel.ts';
import { relativeTarget } from './format-parts.ts';
import type { Instruction } from './instruction.ts';
import { OpKind } from './operand-codes.ts';
import { SEGMENT_NAMES } from './register-names.ts';

export interface FormatOptions {
  /** Default `intel`. */
  readonly syntax?: 'intel' | 'att';
  /** Address of the first byte: branch targets are printed as addresses. Default 0. */
  readonly address?: bigint | number;
}

/** The text of a decoded instruction: objdump's spelling, in lower case, with a space after each comma. */
export function formatInstruction(inst: Instruction, options: FormatOptions = {}): string {
  const address = BigInt(options.address ?? 0);
  const prefixes = prefixText(inst);
  return prefixes + (options.syntax === 'att' ? attText(inst, address) : intelText(inst, address));
}

/** Where a relative branch goes, or undefined for any other instruction. */
export function branchTarget(inst: Instruction, address: bigint): bigint | undefined {
  for (let i = 0; i < inst.opCount; i++) if (inst.opKind[i] === OpKind.rel) return relativeTarget(inst, address);
  return undefined;
}

const COMPARING = new Set(['cmps', 'scas']);

function prefixText(inst: Instruction): string {
  let text = inst.lock ? 'lock ' : '';
  if (inst.rep !== 0) {
    if (inst.row.repeatable) text += inst.rep === 0xf2 ? 'repnz ' : COMPARING.has(inst.row.mnemonic) ? 'repz ' : 'rep ';
    else if (inst.rep === 0xf2 && /^(jmp|call|ret|j.*)$/.test(inst.row.mnemonic) && inst.row.size64 === 'forced64') text += 'bnd ';
    else if (inst.rep === 0xf3 && inst.row.mnemonic === 'ret') text += 'repz ';
    else if (inst.row.lockable && inst.mod !== 3) text = (inst.rep === 0xf2 ? 'xacquire ' : 'xrelease ') + text;
  }
  if (inst.segOverride === 3 && /^(jmp|call)$/.test(inst.row.mnemonic) && inst.row.operands[0] === 'Ev') return `notrack ${text}`;
  return inst.segOverride >= 0 && !usesSegment(inst) ? `${SEGMENT_NAMES[inst.segOverride] ?? ''} ${text}` : text;
}

/** A segment override that does nothing is still printed, as a prefix. */
function usesSegment(inst: Instruction): boolean {
  for (let i = 0; i < inst.opCount; i++) {
    const kind = inst.opKind[i];
    if (kind === OpKind.mem || kind === OpKind.moffs || kind === OpKind.memSi || kind === OpKind.memXlat || kind === OpKind.memMaskmov) {
      return inst.seg === inst.segOverride && (inst.mode !== 64 || inst.seg >= 4);
    }
  }
  return false;
}
