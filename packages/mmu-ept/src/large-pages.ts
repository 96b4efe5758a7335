const REGIONS = 4096;

/**
 * Remembers where pieces of large pages may be in the TLB, so that INVLPG of one address kills them all. By 4-MiB region and by GiB, hashed: a clash
 * only makes an invalidation wider than needed.
 */
export class LargePages {
  readonly #regions: Uint8Array;
  readonly #gibibytes: Uint8Array;

  /** `bytes`: two tables of `LARGE_PAGE_BUCKETS`, which the generated refill writes too. */
  constructor(bytes: Uint8Array) {
    this.#regions = bytes.subarray(0, REGIONS);
    this.#gibibytes = bytes.subarray(REGIONS, 2 * REGIONS);
  }

  note(lo: number, hi: number, pageShift: number): void {
    if (pageShift === 30) this.#gibibytes[hash(lo >>> 30 | hi << 2)] = 1;
    else this.#regions[hash(lo >>> 22 | hi << 10)] = 1;
  }

  /** Whether a 2-MiB or 4-MiB page over this address may be cached; forgets it. */
  takeRegion(lo: number, hi: number): boolean {
    const at = hash(lo >>> 22 | hi << 10);
    if (this.#regions[at] === 0) return false;
    this.#regions[at] = 0;
    return true;
  }

  hasGibibyte(lo: number, hi: number): boolean {
    return this.#gibibytes[hash(lo >>> 30 | hi << 2)] !== 0;
  }

  clear(): void {
    this.#regions.fill(0);
    this.#gibibytes.fill(0);
  }
}

function hash(number: number): number {
  return Math.imul(number, 0x9e37_79b1) >>> 20;
}
