/** What is left to the vendor, or done otherwise here on purpose. */
import type { Instruction } from '@vmm/decoder';
import type { CodeMode } from './batch-layout.ts';

/** What AMD and Intel processors do differently, or either may do as it likes. */
export function isVendorSpecific(inst: Instruction, mode: CodeMode, rcx: bigint): boolean {
  const { row } = inst;
  // AMD takes 66 before a near branch in 64-bit mode for a 16-bit one
  if (mode === 64 && inst.has66 && row.size64 === 'forced64' && row.endsBlock) return true;
  // REP before LOOP turns it into its opposite on AMD
  if (/^loop/.test(row.mnemonic) && inst.rep !== 0) return true;
  // MOVSXD to 16 bits loads 32 on AMD
  if (row.mnemonic === 'movsxd' && inst.opSize === 2) return true;
  // AMD has no 64-bit far pointers
  if (/^(l[fgs]s|jmpf|callf)$/.test(row.mnemonic) && inst.opSize === 8) return true;
  // PREFETCH with a register: #UD on AMD, a no-operation on Intel
  if (row.mnemonic === 'nop' && row.opcode === 0x0d) return true;
  // SHLD and SHRD of 16 bits by more than 16 give anything
  if (row.mnemonic.startsWith('sh') && row.operands.length === 3 && row.encoding === 'legacy' && inst.opSize === 2) {
    return ((row.operands[2] === 'CL' ? Number(rcx & 0xffn) : inst.immLo) & 31) > 16;
  }
  return false;
}
