import type { CodePage } from './flow-graph.ts';
import type { Recipe } from './recipe.ts';
import type { SiteKind } from './slow-sites.ts';

/** A region that the vCPU's thread wants. Plain data: it may go to another thread. */
export interface RegionJob {
  /** Never used again. */
  readonly id: number;
  /** Of its function in the table. */
  readonly slot: number;
  /** Host address of its entry, and rip there. */
  readonly host: number;
  readonly lo: number;
  readonly hi: number;
  /** Of CS, where segments are not flat. */
  readonly codeBase: number;
  readonly codeLimit: number;
  readonly modeKey: number;
  /** How often the block that made it wanted has been executed: what its blocks' heat is measured by. */
  readonly executions: number;
  /** There is a region for this entry, which is to be another: that others have its code does not matter. */
  readonly isRemake: boolean;
  /** What it consisted of when it was made before. */
  readonly recipe?: Recipe | undefined;
}

/** A region whose function is in the batch's module. */
export interface MadeRegion {
  readonly id: number;
  readonly pages: readonly CodePage[];
  /** Host addresses of the code it was made of, as [from, to) pairs, and what was there, one after the other. */
  readonly ranges: Int32Array;
  readonly code: Uint8Array;
  /** Pairs: host address of a static target, address of the word that leads there. */
  readonly exits: Int32Array;
  /** Pairs: host address that a call returns to, its distance from the entry. */
  readonly calls: Int32Array;
  /** Pairs: host address where a block of the interpreter begins, that of the innermost loop's head it is in (0: none). */
  readonly starts: Int32Array;
  readonly instructions: number;
  readonly recipe: Recipe;
}

/** What was made in one go. */
export interface MadeBatch {
  readonly regions: readonly MadeRegion[];
  /** Jobs that a region made before them, and not yet taken, has in it. */
  readonly covered: readonly number[];
  /** Jobs whose first instruction is left to the interpreter, or whose recipe is of other code. */
  readonly refused: readonly number[];
  /** Puts the regions' functions into the table when it is instantiated; undefined if there are none. */
  readonly module: WebAssembly.Module | undefined;
  readonly moduleBytes: number;
  /** The host's time it took. */
  readonly ms: number;
}

/** Where regions are made: on the vCPU's thread or elsewhere. */
export interface RegionMaking {
  add(job: RegionJob): void;
  /** A call out of a region, by where it returns to, is to have its function in the region when that is made again. */
  inline(key: number, id: number): void;
  /** How an instruction, by key, makes its accesses from now on. */
  site(key: number, kind: SiteKind): void;
  /** The region is not in use any more. */
  gone(id: number): void;
  /** What has been made since the last time. `isUrgent`: do not wait for company. */
  take(isUrgent: boolean): MadeBatch | undefined;
  /** How much is remembered of regions on this thread. */
  readonly notes: number;
}
