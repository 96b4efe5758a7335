/** What a translator gets from a vCPU, and what the vCPU asks of it. The translator itself is `@vmm/translator`, given by `VcpuOptions.createTranslator`. */
import type { StateView } from '@vmm/state';
import type { BlockCache } from './block-cache.ts';
import type { FeatureName } from './cpuid-features.ts';
import type { SlowCause } from './slow-accesses.ts';
import type { HandlerTable } from './handlers.ts';

export interface TranslationContext {
  readonly state: StateView;
  readonly privateBase: number;
  readonly handlers: HandlerTable;
  readonly blocks: BlockCache;
  /** What the CPU has. */
  readonly features: ReadonlySet<FeatureName>;
  /** Host address for fetching at a linear address, or 0; leaves no fault behind. */
  tryFetch(lo: number, hi: number): number;
}

export interface Translator {
  /** Executions after which a block is reported. */
  readonly hotThreshold: number;
  /** Executions that are enough if they come in quick succession. */
  readonly quickThreshold: number;
  /** The block at `host` (state.rip, state.modeKey) has run often. Called from the run loop's look-up: must not disturb state. */
  request(host: number): void;
  /** Executions after which the block at a host address, new in a mode, is to be requested because its code is known; 0 if it is not. */
  expects(host: number, modeKey: number): number;
  /** Whether the code with a number, entered at an address, is there still, on the same pages: its call has come back, and much may have happened since. */
  mayGoOn(code: number, lo: number, hi: number): boolean;
  /** One in so many accesses that generated code cannot make by itself is looked at (`noteSlow`). */
  readonly slowPeriod: number;
  /** A sample: the instruction at an offset in CS has made such an access. */
  noteSlow(cause: SlowCause, lo: number, hi: number): void;
  /** Between slices: a good moment for batched work. */
  poll(): void;
  /** Regions that died because their code changed; grows. */
  readonly deaths: number;
  readonly counters: Readonly<Record<string, number>>;
}
