/** Regions whose functions share a module: its memory is free when none of them is in use. */
export interface Batch<Region> {
  readonly bytes: number;
  readonly regions: Set<Region>;
  /** Trials that it has survived. */
  age: number;
  isOnTrial: boolean;
}

/**
 * How much code there is, and what is to go when it is too much. Nobody counts what is used: a batch is put on trial, which takes its regions out of use
 * but keeps them; what is wanted again before the next collection comes back at once, the rest is dropped. Young batches are tried first.
 */
export class CodeMemory<Region extends object> {
  readonly #maxBytes: number;
  readonly #batches = new Map<Region, Batch<Region>>();
  readonly #all = new Set<Batch<Region>>();
  bytes = 0;

  /** `maxBytes`: of WebAssembly; what an engine makes of it is some ten times as much. */
  constructor(maxBytes: number) { this.#maxBytes = maxBytes; }

  get isFull(): boolean { return this.bytes > this.#maxBytes; }

  add(bytes: number, regions: readonly Region[]): void {
    if (regions.length === 0) return;
    const batch: Batch<Region> = { bytes, regions: new Set(regions), age: 0, isOnTrial: false };
    this.#all.add(batch);
    this.bytes += bytes;
    for (const region of regions) this.#batches.set(region, batch);
  }
  gone(region: Region): void {
    const batch = this.#batches.get(region);
    if (batch === undefined) return;
    this.#batches.delete(region);
    batch.regions.delete(region);
    if (batch.regions.size > 0) return;
    this.#all.delete(batch);
    this.bytes -= batch.bytes;
  }

  /** The trials under way are over: regions that had them. What is not in use is to be dropped now. */
  endTrials(): Region[] {
    const tried = [...this.#all].filter((batch) => batch.isOnTrial);
    for (const batch of tried) {
      batch.isOnTrial = false;
      batch.age++;
    }
    return tried.flatMap((batch) => [...batch.regions]);
  }
  /** Regions whose trial begins: a part of all code, the youngest generation first, the oldest of that first. */
  beginTrials(part: number): Region[] {
    let bytes = 0;
    const chosen: Batch<Region>[] = [];
    for (const batch of [...this.#all].sort((a, b) => a.age - b.age)) {
      if (bytes >= this.bytes * part) break;
      bytes += batch.bytes;
      batch.isOnTrial = true;
      chosen.push(batch);
    }
    return chosen.flatMap((batch) => [...batch.regions]);
  }
}
