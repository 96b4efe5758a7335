import type { SlowCause } from '@vmm/cpu';

/** How an instruction's accesses are made: as most are, without a look-up that never hits, or with pages' ends in mind. */
export const SITE_KIND = { usual: 0, direct: 1, across: 2 } as const;
export type SiteKind = (typeof SITE_KIND)[keyof typeof SITE_KIND];

interface Site { kind: SiteKind; /** Samples that speak for another kind, and which. */ votes: number; wanted: SiteKind }

/** Samples in a row that decide. */
const VOTES = 3;
const MAX_SITES = 4096;
const KIND_OF: Readonly<Record<SlowCause, SiteKind>> = { plain: SITE_KIND.usual, device: SITE_KIND.direct, code: SITE_KIND.direct, crossing: SITE_KIND.across };

/** Instructions that samples found making slow accesses, by key; what is decided of one changes when samples speak otherwise. */
export class SlowSites {
  readonly #sites = new Map<number, Site>();

  /** A sample. The instruction's new kind, if it decides. */
  note(key: number, cause: SlowCause): SiteKind | undefined {
    let site = this.#sites.get(key);
    const wanted = KIND_OF[cause];
    if (site === undefined) {
      if (wanted === SITE_KIND.usual) return undefined;
      if (this.#sites.size >= MAX_SITES) this.#makeRoom();
      this.#sites.set(key, site = { kind: SITE_KIND.usual, votes: 0, wanted });
    }
    if (wanted === site.kind) { site.votes = 0; return undefined; }
    site.votes = wanted === site.wanted ? site.votes + 1 : 1;
    site.wanted = wanted;
    if (site.votes < VOTES) return undefined;
    site.votes = 0;
    site.kind = wanted;
    if (wanted === SITE_KIND.usual) this.#sites.delete(key);
    return wanted;
  }
  #makeRoom(): void { for (const [key, { kind }] of this.#sites) if (kind === SITE_KIND.usual) this.#sites.delete(key); }
}
