/* @precomputed */
import { makeDsdtBody } from './dsdt.ts';
import type { Aml } from './aml.ts';

/** The definition block of the PC that all machines here are: PCI interrupts A to D at global interrupts 16 to 19. */
export const PC_DSDT_BODY: Aml = makeDsdtBody([16, 17, 18, 19]);
