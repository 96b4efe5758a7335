import type { CopiedPage } from './flow-graph.ts';

const PAGE = 4096;

/** Copies of pages as they were when they were first looked at: what is decoded must be what is compared later, however often the guest writes meanwhile. */
export class CodeSnapshot {
  readonly #memory: Uint8Array;

  constructor(memory: Uint8Array) { this.#memory = memory; }

  /** The page with a number (relative to the entry's) that a host address is in. */
  page(page: number, at: number): CopiedPage {
    const host = at - (at & PAGE - 1);
    return { page, host, bytes: this.#memory.slice(host, host + PAGE) };
  }
}
