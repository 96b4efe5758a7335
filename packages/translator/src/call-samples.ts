import { OwnedMap } from './owned-map.ts';

/** A call out of a region, by where it returns to. */
interface CallSite { /** Distance of the return address from the region's entry. */ readonly delta: number; /** How long calls made here have run, as samples tell; what is long ago counts less. */ ms: number; sampledMs: number }

/** A sample stands for no longer than this: the host may have been elsewhere. */
const MAX_SAMPLE_MS = 4;
/** Of what samples said: a call must take about a quarter of the time to get anywhere, or its function had better stay where it is. */
const HALF_LIFE_MS = 32;

/** Which calls take long, by samples of the call that was open last. */
export class CallSamples<Region extends object> {
  readonly #sites = new OwnedMap<Region, CallSite>();
  readonly #limitMs: number;
  #sampledMs = 0;

  /** `limitMs`: how long samples must find a call open. */
  constructor(limitMs: number) { this.#limitMs = limitMs; }

  get size(): number { return this.#sites.size; }
  /** A region makes a call that returns to where a key says. */
  add(region: Region, key: number, delta: number): void { this.#sites.set(region, key, { delta, ms: 0, sampledMs: 0 }); }
  release(region: Region): void { this.#sites.release(region); }

  /** A slice has ended: how much time the next sample stands for. */
  takeMs(): number {
    const now = performance.now(), ms = Math.min(now - this.#sampledMs, MAX_SAMPLE_MS);
    this.#sampledMs = now;
    return ms;
  }
  /** A call was open. The caller if it has been for long enough, and the distance of the return address from its entry; it is not told again. */
  sample(key: number, ms: number): { readonly region: Region; readonly delta: number } | undefined {
    const site = this.#sites.get(key), region = this.#sites.ownerOf(key), now = this.#sampledMs;
    if (site === undefined || region === undefined) return undefined;
    site.ms = site.ms * 2 ** ((site.sampledMs - now) / HALF_LIFE_MS) + ms;
    site.sampledMs = now;
    if (site.ms < this.#limitMs) return undefined;
    this.#sites.delete(key);
    return { region, delta: site.delta };
  }
}
