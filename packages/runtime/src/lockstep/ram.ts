import type { MachineMemory } from '@vmm/memory';

const PAGE_BYTES = 4096, PAGE_WORDS = PAGE_BYTES / 4;

const wordsOf = (memory: MachineMemory): Int32Array => memory.i32.subarray(memory.ramBase / 4, (memory.ramBase + memory.ramBytes) / 4);

/** Guest pages (numbers) in which two memories differ. Some 5 GB/s. */
export function differingPages(left: MachineMemory, right: MachineMemory, pages?: readonly number[]): number[] {
  const a = wordsOf(left), b = wordsOf(right);
  const found: number[] = [];
  const count = pages?.length ?? left.ramPages;
  for (let i = 0; i < count; i++) {
    const page = pages === undefined ? i : pages[i] ?? 0;
    for (let at = page * PAGE_WORDS, end = at + PAGE_WORDS; at < end; at++) {
      if (a[at] === b[at]) continue;
      found.push(page);
      break;
    }
  }
  return found;
}

/** The words of a page that differ, as text. */
export function describePage(left: MachineMemory, right: MachineMemory, page: number, limit = 4): string[] {
  const a = wordsOf(left), b = wordsOf(right), lines: string[] = [];
  for (let at = page * PAGE_WORDS; at < (page + 1) * PAGE_WORDS && lines.length < limit; at++) {
    const x = a[at] ?? 0, y = b[at] ?? 0;
    if (x !== y) lines.push(`[${(at * 4).toString(16)}] ${(x >>> 0).toString(16)} / ${(y >>> 0).toString(16)}`);
  }
  return lines;
}

/** A copy of a machine's RAM that can be refreshed and put back. */
export class RamCopy {
  readonly #words: Int32Array;
  constructor(memory: MachineMemory) { this.#words = wordsOf(memory).slice(); }
  take(memory: MachineMemory): void { this.#words.set(wordsOf(memory)); }
  /** Past every notification: for vCPUs that are made afterwards. */
  putInto(memory: MachineMemory): void { wordsOf(memory).set(this.#words); }
}
