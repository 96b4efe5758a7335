import { CR0, CR4, EFER } from '@vmm/spec';
import { selectFormat } from './formats.ts';
import type { PagingFormat } from './formats.ts';

/** What the CPU model decides about paging. */
export interface PagingModel {
  /** MAXPHYADDR: entry bits from here to 51 are reserved. Default 40. */
  readonly physicalAddressBits?: number;
  /** CPUID 8000_0001H EDX.Page1GB. Default true. */
  readonly gigabytePages?: boolean;
}

/** The control-register bits that steer a walk, taken apart once per change. */
export interface PagingControls {
  readonly format: PagingFormat;
  readonly writeProtect: boolean;
  readonly pse: boolean;
  readonly noExecute: boolean;
  readonly smep: boolean;
  readonly smap: boolean;
  readonly global: boolean;
  /** CR4.PKE and CR4.PKS: rights by key of user and of supervisor pages. */
  readonly protectionKeys: boolean;
  readonly supervisorKeys: boolean;
  /** Page faults on fetches say so (error code bit I): SDM vol 3A §4.7. */
  readonly reportsFetch: boolean;
}

export function readControls(cr0: number, cr4: number, efer: number): PagingControls {
  const format = selectFormat(cr0, cr4, efer);
  const noExecute = (cr4 & CR4.PAE) !== 0 && (efer & EFER.NXE) !== 0;
  const smep = (cr4 & CR4.SMEP) !== 0;
  return {
    format, noExecute, smep,
    writeProtect: (cr0 & CR0.WP) !== 0,
    pse: (cr4 & CR4.PSE) !== 0,
    smap: (cr4 & CR4.SMAP) !== 0,
    global: (cr4 & CR4.PGE) !== 0,
    protectionKeys: format.long && (cr4 & CR4.PKE) !== 0,
    supervisorKeys: format.long && (cr4 & CR4.PKS) !== 0,
    reportsFetch: noExecute || smep,
  };
}
