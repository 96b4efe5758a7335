import type { Clock, Nanoseconds, Timer } from './clock.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import type { HeapEntry } from './deadline-heap.ts';

interface TimerOwner {
  arm(timer: VirtualTimer): void;
  disarm(timer: VirtualTimer): void;
}

class VirtualTimer implements Timer, HeapEntry {
  readonly #owner: TimerOwner;
  readonly run: () => void;
  deadlineNs: number;
  sequence = 0;
  slot = -1;
  mayBeLate = false;
  /** Taken from the heap by the current `runExpired()` and not run yet. */
  isDue = false;

  constructor(owner: TimerOwner, deadlineNs: number, run: () => void) {
    this.#owner = owner;
    this.deadlineNs = deadlineNs;
    this.run = run;
  }

  get isArmed(): boolean {
    return this.slot >= 0 || this.isDue;
  }

  cancel(): void {
    this.#owner.disarm(this);
  }

  reschedule(deadlineNs: number): void {
    this.deadlineNs = deadlineNs;
    this.#owner.arm(this);
  }
}

export interface VirtualClockOptions {
  /** Called when the earliest deadline has moved earlier: the run loop shortens its slice or wakes from its sleep. */
  readonly onEarlierDeadline?: () => void;
}

/**
 * The clock of one machine. Time comes from a source (host time, scaled; or counted instructions);
 * the run loop calls `runExpired()` between slices and sleeps until `nextDeadline()` when the vCPU is halted.
 */
export class VirtualClock implements Clock {
  readonly #source: () => Nanoseconds;
  readonly #onEarlierDeadline: (() => void) | undefined;
  readonly #heap = new DeadlineHeap<VirtualTimer>();
  readonly #due: VirtualTimer[] = [];
  readonly #owner: TimerOwner = { arm: (timer) => this.#arm(timer), disarm: (timer) => this.#disarm(timer) };
  #sequence = 0;
  #earliest = Infinity;
  #isRunning = false;

  constructor(source: () => Nanoseconds, options: VirtualClockOptions = {}) {
    this.#source = source;
    this.#onEarlierDeadline = options.onEarlierDeadline;
  }

  now(): Nanoseconds {
    return this.#source();
  }

  schedule(deadlineNs: Nanoseconds, run: () => void): Timer {
    const timer = new VirtualTimer(this.#owner, deadlineNs, run);
    this.#arm(timer);
    return timer;
  }

  /** The earliest armed deadline, or Infinity. Timers that may be late count as so much later. */
  nextDeadline(latenessNs: Nanoseconds = 0): Nanoseconds {
    if (latenessNs === 0) return this.#earliest;
    let earliest = Infinity;
    for (const { deadlineNs, mayBeLate } of this.#heap.entries) earliest = Math.min(earliest, mayBeLate ? deadlineNs + latenessNs : deadlineNs);
    return earliest;
  }

  /**
   * Runs what is due, in order of deadline; answers how many ran. A timer that arms itself again for a time already
   * past runs at the next call, not in this one: a guest cannot hold the loop.
   */
  runExpired(): number {
    if (this.#earliest === Infinity || this.#isRunning) return 0;
    const now = this.#source();
    if (this.#earliest > now) return 0;
    this.#takeDue(now);
    let count = 0;
    this.#isRunning = true;
    try {
      for (const timer of this.#due) {
        if (!timer.isDue) continue; // cancelled or moved by one that ran before it
        timer.isDue = false;
        count++;
        timer.run();
      }
    } finally {
      this.#isRunning = false;
      this.#due.length = 0;
    }
    return count;
  }

  #takeDue(now: number): void {
    for (let timer = this.#heap.peek(); timer !== undefined && timer.deadlineNs <= now; timer = this.#heap.peek()) {
      this.#heap.remove(timer);
      timer.isDue = true;
      this.#due.push(timer);
    }
    this.#noteEarliest();
  }

  #arm(timer: VirtualTimer): void {
    timer.isDue = false;
    timer.sequence = ++this.#sequence;
    if (timer.slot >= 0) this.#heap.update(timer);
    else this.#heap.push(timer);
    if (this.#noteEarliest()) this.#onEarlierDeadline?.();
  }

  #disarm(timer: VirtualTimer): void {
    timer.isDue = false;
    this.#heap.remove(timer);
    this.#noteEarliest();
  }

  /** Answers whether the earliest deadline became earlier. */
  #noteEarliest(): boolean {
    const earliest = this.#heap.peek()?.deadlineNs ?? Infinity;
    const isEarlier = earliest < this.#earliest;
    this.#earliest = earliest;
    return isEarlier;
  }
}
