/** Words in machine memory that lead translated code on (see `Links`): which are free. */
export class LinkWords {
  readonly #end: number;
  #next: number;
  readonly #free: number[] = [];

  constructor(from: number, to: number) {
    this.#next = from;
    this.#end = to;
  }

  /** A word's address; 0 when there are no more. */
  take(): number { return this.#free.pop() ?? (this.#next < this.#end ? (this.#next += 4) - 4 : 0); }
  release(words: readonly number[]): void { this.#free.push(...words); }
}
