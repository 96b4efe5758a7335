import type { HostTime, VirtualClock } from '@vmm/clock';
import type { CallGate } from './call-gate.ts';
import type { ControlBlock } from './control-block.ts';
import { IdleTicks } from './idle-ticks.ts';

/** What `Vcpu.run` answers. */
export type RunResult = 'slice' | 'halt' | 'shutdown' | 'stopped';

/** The vCPU as the loop sees it. */
export interface RunnableVcpu {
  run(maxInstructions: number): RunResult;
  readonly instructions: number;
}

/** Why the loop has ended. */
export type LoopEnd = 'stopped' | 'shutdown' | 'requested';

export interface RunLoopParts {
  readonly vcpu: RunnableVcpu;
  readonly clock: VirtualClock;
  readonly time: LoopTime;
  readonly block: ControlBlock;
  readonly gate: CallGate;
  /** Takes what other workers have published (interrupts, serial input); answers whether there was anything. */
  readonly poll: () => boolean;
  /** Publishes what the guest has written; called after every slice and before every sleep. */
  readonly flush: () => void;
  /** A slice has run, and how it ended: for samples. */
  readonly onSlice?: (result: RunResult) => void;
  /** Something waits that only the event loop brings. */
  readonly needsTurn?: () => boolean;
  /** Nothing can end this halt but a reset or an NMI: interrupts are off. Called once a halt. */
  readonly onDeadHalt?: () => void;
  readonly interruptsEnabled: () => boolean;
}

/** How the loop passes time. */
export interface LoopTime {
  pause(): void;
  resume(): void;
  /** Host milliseconds until a virtual time, for sleeping. 0: do not sleep. */
  hostMsUntil(deadlineNs: number): number;
  /** How many instructions may run before `deadlineNs`, at the speed seen so far. */
  sliceUntil(deadlineNs: number): number;
  /** A slice has run. */
  spent(instructions: number): void;
  /** The host has slept because the guest is idle. */
  slept(): void;
  /** The guest is idle until `deadlineNs`: counted time jumps there. */
  idle(deadlineNs: number): void;
}

/** What a wake-up takes that was due: the last of a sleep is waited for awake. */
const WAKE_UP_MS = 0.1;
const LONGEST_SLEEP_MS = 1000;

/**
 * One vCPU's life between `start` and its end: run a slice, look around, sleep when the guest halts. It returns to the event loop
 * only when a control call is announced or the machine is paused. Threading: owns its worker.
 */
export class RunLoop {
  readonly #parts: RunLoopParts;
  #end: LoopEnd | undefined;
  #resume: (() => void) | undefined;
  #isPaused = false;
  #isDeadHaltTold = false;
  readonly #ticks = new IdleTicks();
  #idleAt = 0;

  constructor(parts: RunLoopParts) {
    this.#parts = parts;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** From a control call. */
  pause(): void {
    this.#isPaused = true;
    this.#parts.time.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#resume?.();
    this.#resume = undefined;
  }

  /** From within: the guest has powered off, the board wants to stop. The slice must be ended by the caller (attention). */
  requestEnd(): void {
    this.#end ??= 'requested';
  }

  async run(): Promise<LoopEnd> {
    const { time, block, gate } = this.#parts;
    this.#end = undefined;
    time.resume();
    for (;;) {
      block.takeRings();
      if (gate.hasCalls) await gate.serveCalls();
      else if (this.#parts.needsTurn?.() === true) await gate.turn();
      if (block.isStopRequested) this.#end ??= 'stopped';
      if (this.#end !== undefined) break;
      if (this.#isPaused) await this.#untilResumed();
      else this.#step();
    }
    time.pause();
    this.#parts.flush();
    return this.#end;
  }

  #step(): void {
    const { vcpu, clock, time, poll, flush } = this.#parts;
    poll();
    clock.runExpired();
    const before = vcpu.instructions;
    const result = vcpu.run(time.sliceUntil(clock.nextDeadline()));
    time.spent(vcpu.instructions - before);
    this.#parts.onSlice?.(result);
    flush();
    if (result === 'halt') this.#idle();
    else if (result === 'shutdown') this.#end ??= 'shutdown';
    else if (result === 'stopped' && this.#parts.block.isStopRequested) this.#end ??= 'stopped';
    if (result !== 'halt') this.#isDeadHaltTold = false;
  }

  #idle(): void {
    const { vcpu, clock, time, block, interruptsEnabled, onDeadHalt, poll } = this.#parts;
    if (poll()) return; // the guest has begun to listen, and there was something to hear
    if (!interruptsEnabled() && !this.#isDeadHaltTold) {
      this.#isDeadHaltTold = true;
      onDeadHalt?.();
    }
    const deadline = clock.nextDeadline(), latenessNs = this.#ticks.latenessNs(deadline, vcpu.instructions - this.#idleAt);
    this.#idleAt = vcpu.instructions;
    const sleepMs = Math.min(LONGEST_SLEEP_MS, time.hostMsUntil(clock.nextDeadline(latenessNs))) - (latenessNs === 0 ? WAKE_UP_MS : 0);
    if (sleepMs > 0) {
      block.sleep(sleepMs);
      time.slept();
    } else {
      time.idle(deadline);
    }
  }

  async #untilResumed(): Promise<void> {
    this.#parts.time.pause();
    this.#parts.flush();
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
    await this.#parts.gate.serveCalls(); // the answer to `resume` leaves before the loop takes the thread
    this.#parts.time.resume();
  }
}

const SLICE_MS = 2;
const MIN_SLICE = 2_000;
const MAX_SLICE = 50_000_000;

/** Host time: slices are as long as the guest's speed allows without being late for a timer. */
export class HostLoopTime implements LoopTime {
  readonly #time: HostTime;
  readonly #hostNowMs: () => number;
  #perMs = 20_000;
  #sliceStartMs = 0;

  constructor(time: HostTime, hostNowMs: () => number) {
    this.#time = time;
    this.#hostNowMs = hostNowMs;
  }

  pause(): void { this.#time.pause(); }
  resume(): void { this.#time.resume(); }
  hostMsUntil(deadlineNs: number): number { return this.#time.hostMsUntil(deadlineNs); }
  slept(): void { this.#time.slept(); }
  idle(): void { /* the host's time passes by itself */ }

  sliceUntil(deadlineNs: number): number {
    this.#sliceStartMs = this.#hostNowMs();
    const ms = Math.min(SLICE_MS, this.#time.hostMsUntil(deadlineNs));
    return Math.max(MIN_SLICE, Math.min(MAX_SLICE, Math.floor(ms * this.#perMs)));
  }

  spent(instructions: number): void {
    const ms = this.#hostNowMs() - this.#sliceStartMs;
    if (instructions < MIN_SLICE || ms <= 0) return;
    this.#perMs += 0.25 * (instructions / ms - this.#perMs);
  }
}
