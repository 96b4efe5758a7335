import { DEFAULT_BATCH } from './local-making.ts';
import type { RegionMaking } from './region-job.ts';

export interface TranslatorOptions {
  /** Executions of a block before it is translated. Default 5,000: below that, translating and compiling cost more than they save (measured on a boot). */
  readonly hotThreshold?: number;
  /** So many are enough if they come in quick succession. Default: a quarter of `hotThreshold`. */
  readonly quickThreshold?: number;
  /** Regions made from one page that may die before its code is left to the interpreter. Default 40. */
  readonly maxDeathsPerPage?: number;
  /** Regions that wait for each other to share a module. Default 16. */
  readonly batchSize?: number;
  /** How long a region may wait for company, unless it runs on and on meanwhile. Default 60 ms. */
  readonly batchDelayMs?: number;
  /** How long samples must find a call open until its function becomes part of the caller's region. Default 12 ms. */
  readonly inlineMs?: number;
  /** WebAssembly in use that is too much: what is not needed goes then. Default 24 MiB. */
  readonly maxCodeBytes?: number;
  /** How long code is out of use to see whether it is missed. Default 200 ms. */
  readonly trialMs?: number;
  /** Which regions there were, from `recipes` of an earlier translator: the same code is translated as soon as it runs. What is no such thing is left out. */
  readonly recipes?: Uint8Array | undefined;
  /** Where regions are made. Default: on this thread. */
  readonly making?: RegionMaking;
  /** One in so many slow accesses is looked at. Default 251. */
  readonly slowPeriod?: number;
  /** Is told of every module that is made on this thread. */
  readonly onModule?: (bytes: Uint8Array) => void;
}

const HOT = 5000;

/** What `options` leave open. */
export function withDefaults({ hotThreshold = HOT, quickThreshold = Math.ceil(hotThreshold / 4), maxDeathsPerPage = 40, maxCodeBytes = 24 * 2 ** 20, trialMs = 200, batchSize = DEFAULT_BATCH.batchSize, batchDelayMs = DEFAULT_BATCH.batchDelayMs, inlineMs = 12, slowPeriod = 251 }: TranslatorOptions) {
  return { hotThreshold, quickThreshold, maxDeathsPerPage, maxCodeBytes, trialMs, batch: { batchSize, batchDelayMs }, inlineMs, slowPeriod };
}
