/** Machine-check architecture: error banks as storage, and reports that software injects. SDM vol 3B §16.3 */
import { MSR } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { CR4, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';

export const MACHINE_CHECK = {
  BANKS: 4,
  /** MCG_CAP: number of banks, MCG_CTL present. */
  CAPABILITIES: 0x104,
  FIRST_BANK: 0x400, MCG_CTL: 0x17b,
  RIPV: 1, MCIP: 4,
  /** High word of MCi_STATUS: valid, address valid. */
  VALID: 0x8000_0000, ADDRESS_VALID: 0x0400_0000,
} as const;

export interface MachineCheckReport {
  readonly bank: number;
  /** MCi_STATUS; bit 63 is added. */
  readonly statusLo: number;
  readonly statusHi: number;
  /** Physical address, where there is one. */
  readonly address?: number;
}

/**
 * Reports a hardware error between instructions. 'shutdown': nobody may hear of it (CR4.MCE clear) or the last one is still being dealt with. A corrected error
 * (bit 61 clear) is only stored.
 */
export function reportMachineCheck(cpu: Cpu, { bank, statusLo, statusHi, address }: MachineCheckReport): 'delivered' | 'stored' | 'shutdown' {
  const { msrs, state } = cpu, at = MACHINE_CHECK.FIRST_BANK + 4 * bank, isUncorrected = (statusHi & 0x2000_0000) !== 0;
  msrs.keep(at + 1, statusLo, statusHi | MACHINE_CHECK.VALID | (address === undefined ? 0 : MACHINE_CHECK.ADDRESS_VALID));
  if (address !== undefined) msrs.keep(at + 2, address % 2 ** 32 | 0, Math.floor(address / 2 ** 32));
  if (!isUncorrected) return 'stored';
  const status = msrs.kept(MSR.MCG_STATUS);
  if (!(state.word(STATE.cr4) & CR4.MCE) || status & MACHINE_CHECK.MCIP) return 'shutdown';
  msrs.keep(MSR.MCG_STATUS, status | MACHINE_CHECK.MCIP | MACHINE_CHECK.RIPV, 0);
  cpu.raise(VECTOR.MC);
  return cpu.deliverException();
}
