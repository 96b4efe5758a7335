import { Bell } from '@vmm/bus';
import type { Attention } from './engine.ts';

const WAKE = 0, FLAGS = 1, ANNOUNCED = 2, WORDS = 4;
const FLAG_STOP = 1;

/**
 * The words that a worker looks at between two pieces of work, because its event loop does not turn while it works or sleeps.
 * Whoever wants something sets its bit or count here, then rings: the bell ends a sleep, the attention bit ends a run of the vCPU.
 */
export class ControlBlock {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #wake: Bell;
  #attention: Bell | undefined;

  constructor(buffer = new SharedArrayBuffer(WORDS * 4)) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#wake = new Bell(this.#words, WAKE);
  }

  /** Tells this end where the vCPU's attention word is, once the vCPU exists. */
  attachAttention(memory: SharedArrayBuffer, attention: Attention): void {
    this.#attention = new Bell(new Int32Array(memory), attention.wordIndex, attention.bit);
    this.#attention.ring();
  }

  /** Any thread: the worker should look around. */
  ring(): void {
    this.#attention?.ring();
    this.#wake.ring();
  }

  /** The vCPU's own thread: `run` returns at the next block. Unlike `ring` it leaves no trace that would spoil the next sleep. */
  endRun(): void {
    this.#attention?.ring();
  }

  requestStop(): void {
    Atomics.or(this.#words, FLAGS, FLAG_STOP);
    this.ring();
  }

  get isStopRequested(): boolean {
    return (Atomics.load(this.#words, FLAGS) & FLAG_STOP) !== 0;
  }

  /** A control call is on its way: the worker lets its event loop turn until it has served as many as were announced. */
  announceCall(): void {
    Atomics.add(this.#words, ANNOUNCED, 1);
    this.ring();
  }

  get announcedCalls(): number {
    return Atomics.load(this.#words, ANNOUNCED);
  }

  /** The worker: before it looks at its rings and at this block. */
  takeRings(): void {
    this.#wake.take();
    this.#attention?.take();
  }

  /** The worker: sleeps unless somebody has rung since `takeRings`. */
  sleep(timeoutMs: number): void {
    this.#wake.wait(timeoutMs);
  }
}
