/** An entry knows its place, so that cancelling and rescheduling cost O(log n) without a search. */
export interface HeapEntry {
  deadlineNs: number;
  /** Breaks ties: equal deadlines fire in the order in which they were armed. */
  sequence: number;
  /** Index in the heap, -1 when absent. */
  slot: number;
}

function isBefore(a: HeapEntry, b: HeapEntry): boolean {
  return a.deadlineNs < b.deadlineNs || (a.deadlineNs === b.deadlineNs && a.sequence < b.sequence);
}

/** Binary min-heap of deadlines. @hot: no allocation after the array has grown. */
export class DeadlineHeap<Entry extends HeapEntry> {
  readonly #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  peek(): Entry | undefined {
    return this.#entries[0];
  }

  /** In no order. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  push(entry: Entry): void {
    entry.slot = this.#entries.length;
    this.#entries.push(entry);
    this.#siftUp(entry);
  }

  remove(entry: Entry): void {
    const slot = entry.slot;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, slot);
    this.update(last);
  }

  /** Restores the order after the entry's deadline has changed. */
  update(entry: Entry): void {
    this.#siftUp(entry);
    this.#siftDown(entry);
  }

  #place(entry: Entry, slot: number): void {
    this.#entries[slot] = entry;
    entry.slot = slot;
  }

  #siftUp(entry: Entry): void {
    while (entry.slot > 0) {
      const slot = entry.slot;
      const parent = this.#entries[(slot - 1) >> 1]!;
      if (!isBefore(entry, parent)) return;
      this.#place(entry, parent.slot);
      this.#place(parent, slot);
    }
  }

  #siftDown(entry: Entry): void {
    for (;;) {
      const slot = entry.slot;
      const left = this.#entries[2 * slot + 1];
      const right = this.#entries[2 * slot + 2];
      if (left === undefined) return;
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, entry)) return;
      this.#place(entry, child.slot);
      this.#place(child, slot);
    }
  }
}
