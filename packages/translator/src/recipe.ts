/* @hot: one word after the other, bounded by checks. */
import type { FlowGraph } from './flow-graph.ts';

/**
 * What a region consisted of, so that it can be made again at once where the same code is found again: after it was dropped, in another page, at the next
 * start of the program. It says which blocks are worth having, never what they mean: regions are made of the code that is there. A wrong or hostile one costs
 * time, nothing else. Distances are from the region's entry.
 */
export interface Recipe {
  /** Of the entry's first bytes, its place in its page and the mode: see `codeKey`. */
  readonly key: number;
  /** Of all code bytes in `ranges`. */
  readonly hash: number;
  readonly modeKey: number;
  /** [from, to) pairs. */
  readonly ranges: Int32Array;
  /** Where blocks begin. */
  readonly leaders: Int32Array;
  /** Where calls return to whose functions are not in the region. */
  readonly calls: Int32Array;
  /** Pairs: a computed jump or call, one of its targets. */
  readonly targets: Int32Array;
}

const PAGE = 4096, KEY_BYTES = 16;
const FNV_BASIS = 0x811c_9dc5 | 0, FNV_PRIME = 0x0100_0193;
/** FNV-1a. */
const mix = (hash: number, byte: number): number => Math.imul(hash ^ byte, FNV_PRIME);

/** Names code by its first bytes on its page, where on the page they are, and the mode. */
export function codeKey(u8: Uint8Array, host: number, modeKey: number): number {
  const offset = host & PAGE - 1, end = host + Math.min(KEY_BYTES, PAGE - offset);
  let hash = mix(mix(mix(mix(FNV_BASIS, offset & 0xff), offset >> 8), modeKey & 0xff), modeKey >> 8);
  for (let at = host; at < end; at++) hash = mix(hash, u8[at]!);
  return hash;
}
/** Of bytes. */
export function codeHash(code: Uint8Array): number {
  let hash = FNV_BASIS;
  for (let at = 0; at < code.length; at++) hash = mix(hash, code[at]!);
  return hash;
}

/** `code`: the bytes in `graph.ranges()`. */
export function recipeOf(graph: FlowGraph, key: number, modeKey: number, code: Uint8Array): Recipe {
  const calls = graph.blocks.flatMap(({ kind, targets }) => (kind === 'call' ? targets : []));
  return { key, hash: codeHash(code), modeKey, ranges: Int32Array.from(graph.deltaRanges()), leaders: Int32Array.from(graph.leaders()), calls: Int32Array.from(calls), targets: Int32Array.from(graph.computed) };
}

/** More than the code of any region. */
const MAX_CODE_BYTES = 0x8000;
/** Whether the code that a recipe was of is there. `byte`: at a distance from the entry, -1 if it cannot be read. */
export function isOfCode({ ranges, hash }: Recipe, byte: (delta: number) => number): boolean {
  let found = FNV_BASIS, left = MAX_CODE_BYTES;
  for (let i = 0; i < ranges.length; i += 2) {
    const to = ranges[i + 1]!;
    for (let at = ranges[i]!; at < to; at++) {
      const value = --left < 0 ? -1 : byte(at);
      if (value < 0) return false;
      found = mix(found, value);
    }
  }
  return found === hash;
}

const LISTS = ['ranges', 'leaders', 'calls', 'targets'] as const;
const FIXED_WORDS = 3 + LISTS.length;
/** Far more than a region has of anything: what claims more is no recipe. */
const MAX_LIST = 4096;

/** As words: key, hash, mode key, the lists' lengths, the lists. */
export function packRecipe(recipe: Recipe): Int32Array {
  const { key, hash, modeKey } = recipe, lists = LISTS.map((name) => recipe[name]);
  const words = new Int32Array(FIXED_WORDS + lists.reduce((sum, list) => sum + list.length, 0));
  words.set([key, hash, modeKey, ...lists.map((list) => list.length)]);
  let at = FIXED_WORDS;
  for (const list of lists) {
    words.set(list, at);
    at += list.length;
  }
  return words;
}
/** Undefined: these words are no recipe. */
export function unpackRecipe(words: Int32Array): Recipe | undefined {
  if (words.length < FIXED_WORDS) return undefined;
  const lists: Record<string, Int32Array> = {};
  let at = FIXED_WORDS;
  for (const [i, name] of LISTS.entries()) {
    const length = words[3 + i]!;
    if (length < 0 || length > MAX_LIST || at + length > words.length) return undefined;
    lists[name] = words.slice(at, at + length);
    at += length;
  }
  const { ranges, leaders, calls, targets } = lists as Record<(typeof LISTS)[number], Int32Array>;
  return at === words.length && ranges.length % 2 === 0 && targets.length % 2 === 0 ? { key: words[0]!, hash: words[1]!, modeKey: words[2]!, ranges, leaders, calls, targets } : undefined;
}
