/** Which flags of one instruction's outcome mean nothing. */
import { OpKind } from '@vmm/decoder';
import type { Instruction } from '@vmm/decoder';

const CF = 1, OF = 0x800, AF = 0x10;

/** SDM vol 2: with count 0 nothing changes, with count 1 OF is defined, beyond the operand's width CF is not. */
export function shiftUndefined(mnemonic: string, opSizeBytes: number, maskedCount: number): number {
  const isRotate = mnemonic.startsWith('r');
  if (maskedCount === 0) return 0;
  let flags = isRotate ? 0 : AF;
  if (maskedCount !== 1) flags |= OF;
  const isLogical = mnemonic === 'shl' || mnemonic === 'shr';
  if (isLogical && maskedCount >= opSizeBytes * 8) flags |= CF;
  return flags;
}

/** EFLAGS bits to leave out. `rcx` is the register before the instruction. */
export function undefinedFlags(inst: Instruction, rcx: bigint): number {
  const { row } = inst, { mnemonic } = row;
  const size = inst.opSizeBytes[0] ?? 4;
  if (/^(rol|ror|rcl|rcr|shl|shr|sar|shld|shrd)$/.test(mnemonic)) {
    const last = inst.opCount - 1;
    const count = (inst.opKind[last] === OpKind.imm ? inst.immLo : Number(rcx & 0xffn)) & (size === 8 ? 63 : 31);
    return shiftUndefined(mnemonic, size, count);
  }
  return row.flags.undefined;
}
