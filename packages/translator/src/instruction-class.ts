import { hasMemoryOperand, OpKind } from '@vmm/decoder';
import type { Instruction } from '@vmm/decoder';
import { SENSITIVE } from './sensitive.ts';

/**
 * What an instruction needs of a translator. P pure: registers and flags only. M: memory, a probe of the TLB and a slow path. C: control flow.
 * S: sensitive, see `sensitive.ts`.
 */
export type InstructionClass = 'P' | 'M' | 'C' | 'S';
export const CLASSES: readonly InstructionClass[] = ['P', 'M', 'C', 'S'];

/** Mnemonics that are sensitive with some operands only. */
const BY_OPERAND = new Set(['mov', 'push', 'pop']);
const ALWAYS = new Set(SENSITIVE.flatMap(({ mnemonics }) => mnemonics).filter((mnemonic) => !BY_OPERAND.has(mnemonic)));
const SENSITIVE_OPERANDS = new Set<number>([OpKind.seg, OpKind.cr, OpKind.dr]);
const BRANCHES = /^(?:j|call|ret|loop)/;
/** Memory without a memory operand. */
const IMPLICIT = new Set(['push', 'pop', 'pusha', 'popa', 'enter', 'leave', 'xlat', 'maskmovq', 'maskmovdqu']);

export function classOf(inst: Instruction): InstructionClass {
  const { mnemonic, repeatable } = inst.row;
  if (ALWAYS.has(mnemonic) || BY_OPERAND.has(mnemonic) && hasSensitiveOperand(inst)) return 'S';
  if (BRANCHES.test(mnemonic)) return 'C';
  const touches = hasMemoryOperand(inst) && !inst.row.access.includes('a') || isOffset(inst);
  return touches || repeatable || IMPLICIT.has(mnemonic) ? 'M' : 'P';
}

function hasSensitiveOperand(inst: Instruction): boolean {
  for (let i = 0; i < inst.opCount; i++) if (SENSITIVE_OPERANDS.has(inst.opKind[i] ?? -1)) return true;
  return false;
}

function isOffset(inst: Instruction): boolean {
  for (let i = 0; i < inst.opCount; i++) if (inst.opKind[i] === OpKind.moffs) return true;
  return false;
}
