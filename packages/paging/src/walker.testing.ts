import { CR0, CR4, EFER } from '@vmm/spec';
import { STAGE2_ACCESS } from './stage2.ts';
import type { Stage2 } from './stage2.ts';
import { PageWalker } from './walker.ts';
import type { PagingModel } from './controls.ts';

/** 4 MiB of guest memory at host address 0x1000 (host address 0 means "nothing there"), everything else a hole. */
export const HOST_BASE = 0x1000;
export const GUEST_BYTES = 0x40_0000;

export const MODES = {
  none: { cr0: CR0.PE, cr4: 0, efer: 0 },
  '32-bit': { cr0: CR0.PG | CR0.PE, cr4: CR4.PSE, efer: 0 },
  PAE: { cr0: CR0.PG | CR0.PE, cr4: CR4.PAE, efer: EFER.NXE },
  '4-level': { cr0: CR0.PG | CR0.PE, cr4: CR4.PAE, efer: EFER.NXE | EFER.LME | EFER.LMA },
  '5-level': { cr0: CR0.PG | CR0.PE, cr4: CR4.PAE | CR4.LA57, efer: EFER.NXE | EFER.LME | EFER.LMA },
} as const;
export type ModeName = keyof typeof MODES;

/** Guest memory, a walker over it, and a second level that is the identity unless a test replaces it. */
export class WalkFixture implements Stage2 {
  readonly buffer = new SharedArrayBuffer(HOST_BASE + GUEST_BYTES);
  readonly i32 = new Int32Array(this.buffer);
  readonly data = new DataView(this.buffer, HOST_BASE);
  readonly walker: PageWalker;
  /** Runs before every table access; return -1 for a second-level fault, or undefined for the identity. */
  intercept: (gpa: number, access: number) => number | undefined = () => undefined;

  constructor(model: PagingModel = {}) {
    this.walker = new PageWalker(this, this, model);
  }

  translate(lo: number, hi: number, access: number): number {
    const gpa = (lo >>> 0) + (hi >>> 0) * 0x1_0000_0000;
    return this.intercept(gpa, access) ?? (gpa < GUEST_BYTES ? HOST_BASE + gpa : 0);
  }

  enter(mode: ModeName, root: number, more: { readonly cr0?: number; readonly cr4?: number; readonly efer?: number; readonly noEfer?: number } = {}): void {
    const { cr0, cr4, efer } = MODES[mode];
    this.walker.configure(cr0 | (more.cr0 ?? 0), cr4 | (more.cr4 ?? 0), (efer | (more.efer ?? 0)) & ~(more.noEfer ?? 0));
    this.walker.setRoot(root, 0);
  }

  read64(gpa: number): bigint { return this.data.getBigUint64(gpa, true); }
  write64(gpa: number, entry: bigint): void { this.data.setBigUint64(gpa, entry, true); }
  read32(gpa: number): number { return this.data.getUint32(gpa, true); }
  write32(gpa: number, entry: number): void { this.data.setUint32(gpa, entry, true); }
}

export { STAGE2_ACCESS };
