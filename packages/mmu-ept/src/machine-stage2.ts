import { PAGE } from '@vmm/memory';
import type { MachineMemory } from '@vmm/memory';
import { STAGE2_ACCESS } from '@vmm/paging';
import type { Stage2 } from '@vmm/paging';

/** The second level of a bare CPU: guest-physical is what the machine's memory map says. */
export class MachineStage2 implements Stage2 {
  readonly #memory: MachineMemory;

  constructor(memory: MachineMemory) {
    this.#memory = memory;
  }

  translate(lo: number, hi: number, access: number): number {
    const host = this.#memory.translate(lo, hi);
    return host !== 0 && access === STAGE2_ACCESS.writeEntry ? this.#writable(host) : host;
  }

  /** Accessed and dirty bits in ROM are lost; elsewhere they count as stores for the dirty log. */
  #writable(host: number): number {
    const attributes = this.#memory.attributesAt(host);
    if ((attributes & PAGE.ROM) !== 0) return 0;
    if ((attributes & PAGE.WATCHED) !== 0) this.#memory.markDirty(host);
    return host;
  }
}
