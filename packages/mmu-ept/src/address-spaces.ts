/** Bits 2..11 of a TLB tag. */
const TAGS = 1024;
const PCIDS = 4096;

/**
 * Hands out address-space tags, so that a new address space (or a flush of everything) costs one number instead of a wipe of the table. When the
 * numbers run out the table is wiped once and they start again. @hot
 */
export class AddressSpaces {
  /** The tag in force, already shifted into bits 2..11. */
  current = 0;
  #next = 0;
  /** Tag + 1 by PCID, 0 = none. */
  readonly #byPcid = new Uint16Array(PCIDS);
  readonly #wipe: () => void;

  constructor(wipe: () => void) {
    this.#wipe = wipe;
  }

  /** A space nothing is cached for. */
  enterFresh(): void {
    this.current = this.#take() << 2;
  }

  /** The space of a PCID: with `keep`, what was cached for it is still good. */
  enterPcid(pcid: number, keep: boolean): void {
    if (!keep || this.#byPcid[pcid] === 0) {
      const tag = this.#take();
      this.#byPcid[pcid] = tag + 1;
    }
    this.current = this.#byPcid[pcid]! - 1 << 2;
  }

  forgetPcid(pcid: number): void {
    this.#byPcid[pcid] = 0;
  }

  forgetPcids(): void {
    this.#byPcid.fill(0);
  }

  #take(): number {
    if (this.#next === TAGS) {
      this.#wipe();
      this.forgetPcids();
      this.#next = 0;
    }
    return this.#next++;
  }
}
