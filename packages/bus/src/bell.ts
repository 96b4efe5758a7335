/**
 * A sticky bit in a shared word that wakes one sleeper. Several bells may share a word: the sleeper sleeps on the word, so that one
 * `wait` covers all its rings, its timer and its controller. The sleeper takes the bit first and looks at its rings afterwards; whatever
 * is published later rings again, so no wake-up is lost.
 */
export class Bell {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #index: number;
  readonly #bit: number;

  constructor(words: Int32Array<SharedArrayBuffer>, index: number, bit = 1) {
    this.#words = words;
    this.#index = index;
    this.#bit = bit;
  }

  /** Any thread. Notifies only when the bit was clear: whoever set it before has notified already. */
  ring(): void {
    if ((Atomics.or(this.#words, this.#index, this.#bit) & this.#bit) === 0) Atomics.notify(this.#words, this.#index);
  }

  /** The sleeper: clears the bit and answers whether it was set. */
  take(): boolean {
    return (Atomics.and(this.#words, this.#index, ~this.#bit) & this.#bit) !== 0;
  }

  get isRinging(): boolean {
    return (Atomics.load(this.#words, this.#index) & this.#bit) !== 0;
  }

  /** Sleeps while the whole word is 0. Blocks the thread: workers only. */
  wait(timeoutMs: number): void {
    if (timeoutMs > 0) Atomics.wait(this.#words, this.#index, 0, timeoutMs);
  }

  /** The same without blocking, for a page's or a program's main thread. */
  async waitAsync(timeoutMs: number): Promise<void> {
    const result = Atomics.waitAsync(this.#words, this.#index, 0, timeoutMs);
    if (result.async) await result.value;
  }
}
