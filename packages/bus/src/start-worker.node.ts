import { getCompileCacheDir } from 'node:module';
import { Worker } from 'node:worker_threads';

export interface SpawnOptions {
  readonly name: string;
  /** Bound of the worker's heap for new objects. Default: V8's, 64 MiB and more, which stay resident once they were used. */
  readonly youngHeapMib?: number;
  /** Bound of the rest of its heap. Default: V8's. Below 2 GiB V8 collects earlier: at 1 GiB garbage is at most 60 % of what lives, not 300 %. */
  readonly oldHeapMib?: number;
}

/** Starts a worker from a module: TypeScript in the sources, JavaScript once built (see `workerUrl`). Nobody hears of its death yet: see `adoptWorker`. */
export function startWorker(url: URL, options: SpawnOptions): Worker {
  // workers take part in the program's compile cache only when their environment says so
  const cache = getCompileCacheDir();
  const env = cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache };
  const { youngHeapMib, oldHeapMib } = options;
  const resourceLimits = { ...(youngHeapMib === undefined ? {} : { maxYoungGenerationSizeMb: youngHeapMib }), ...(oldHeapMib === undefined ? {} : { maxOldGenerationSizeMb: oldHeapMib }) };
  return new Worker(url, { name: options.name, env, resourceLimits });
}

/** The module beside `importMetaUrl` that is called `name`, with the extension that the caller itself has (`.ts` unbuilt, `.js` built). */
export function workerUrl(name: string, importMetaUrl: string): URL {
  const extension = /\.[cm]?[jt]s$/.exec(new URL(importMetaUrl).pathname)?.[0] ?? '.js';
  return new URL(`./${name}${extension}`, importMetaUrl);
}
