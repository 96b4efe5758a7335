import { AccessClient, ByteSink, ByteSource, IrqMessages, RingConsumer, RingProducer, unknownMessage } from '@vmm/bus';
import { toWire } from '@vmm/bus/control';
import { createBoard } from '@vmm/chipset';
import type { Board, BoardOptions, RemoteDevice } from '@vmm/chipset';
import type { VirtualClock } from '@vmm/clock';
import { MachineMemory } from '@vmm/memory';
import { invariant, VmmError } from '@vmm/spec';
import { CallGate } from './call-gate.ts';
import { ControlBlock } from './control-block.ts';
import type { Engine, EngineFactory } from './engine.ts';
import { ProfileCollector } from './guest-profile.ts';
import type { GuestProfile } from './guest-profile.ts';
import type { MachineExit, MachineState } from './machine-events.ts';
import { createMachineClock, CRYSTAL_HZ, TSC_HZ } from './machine-clock.ts';
import { RunLoop } from './run-loop.ts';
import type { LoopEnd, RunResult } from './run-loop.ts';
import type { Placement } from './options.ts';
import type { RemoteDeviceRings, VcpuConfig, VcpuControl, VcpuEvent, VcpuReady } from './vcpu-control.ts';

export interface WorkerParts {
  readonly serveControl: (api: object) => void;
  readonly turn: () => Promise<void>;
}

type Report = (event: VcpuEvent) => void;
type GuestExit = Exclude<MachineExit, { reason: 'error' }>;

/** No slice is longer (see `HostLoopTime`). */
const LONGEST_SLICE_MS = 4;
const SAMPLE_MS = 1;
/** Room for firmware below 4 GiB. */
const ROM_BYTES = 0x10_0000;

/** A vCPU worker: memory, board, vCPU and run loop of one machine. */
class VcpuServer {
  readonly #config: VcpuConfig;
  readonly #report: Report;
  readonly #block: ControlBlock;
  readonly #memory: MachineMemory;
  readonly #board: Board;
  readonly #engine: Engine;
  readonly #clock: VirtualClock;
  readonly #loop: RunLoop;
  readonly #serialOut: ByteSink;
  readonly #serialIn: ByteSource;
  readonly #debugOut: ByteSink;
  readonly #irqs: RingConsumer | undefined;
  readonly #remote: AccessClient | undefined;
  readonly #profile: ProfileCollector | undefined;
  #sampledMs = 0;
  #exit: GuestExit | undefined;
  #pendingReset: string | undefined;

  constructor(config: VcpuConfig, report: Report, gate: CallGate, block: ControlBlock, createEngine: EngineFactory) {
    this.#config = config;
    this.#profile = config.profile ? new ProfileCollector() : undefined;
    this.#report = report;
    this.#block = block;
    this.#serialOut = new ByteSink(new RingProducer(config.serial.output));
    this.#serialIn = new ByteSource(new RingConsumer(config.serial.input));
    this.#debugOut = new ByteSink(new RingProducer(config.debugOutput));
    this.#irqs = config.remote === undefined ? undefined : new RingConsumer(config.remote.irqs);

    this.#remote = config.remote === undefined ? undefined : connectRemote(config.remote, this.#isCancelled);
    const { clock, loopTime, startUnixMs } = createMachineClock(config.clock, {
      instructions: () => this.#engine?.instructions ?? 0,
      // a timer that the guest has armed for after the slice under way is seen at its end
      onEarlierDeadline: () => { if (loopTime.hostMsUntil(clock.nextDeadline()) < LONGEST_SLICE_MS) block.endRun(); },
    });
    this.#clock = clock;
    this.#board = createBoard({
      memoryBytes: config.memoryBytes,
      clock,
      lapicHz: CRYSTAL_HZ,
      tscToNs: (tsc) => tsc / TSC_HZ * 1e9,
      startUnixMs,
      onAttention: () => { this.#engine?.noteInterrupt(); },
      serial: { transmit: (byte) => { this.#put(this.#serialOut, byte); } },
      debugConsole: { transmit: (byte) => { this.#put(this.#debugOut, byte); } },
      onPowerOff: () => { this.#requestExit({ reason: 'poweroff' }); },
      onReset: (cause) => { this.#guestReset(cause); },
      onDebugExit: (code) => { this.#requestExit({ reason: 'debug-exit', code }); },
      remote: this.#remote === undefined ? {} : placedRemotely(config.placement, this.#remote),
    });
    this.#memory = new MachineMemory({ ramBytes: config.memoryBytes, vcpus: 1, romBytes: ROM_BYTES, mmio: this.#board.mmio });
    this.#engine = createEngine({ config, memory: this.#memory, board: this.#board, clock, translator: config.translator });
    this.#loop = new RunLoop({
      vcpu: this.#engine, clock, time: loopTime, block, gate,
      poll: () => this.#poll(),
      flush: () => { this.#flush(); },
      ...(this.#profile === undefined ? {} : { onSlice: this.#sample }),
      interruptsEnabled: () => this.#engine.interruptsEnabled,
      needsTurn: () => this.#engine.needsTurn === true,
      onDeadHalt: () => { report({ kind: 'halted', dump: this.#engine.dump() }); },
    });
    this.#block.attachAttention(this.#memory.buffer, this.#engine.attention);
  }

  get ready(): VcpuReady {
    return { memory: this.#memory.buffer, attention: this.#engine.attention, maker: this.#engine.maker };
  }

  /** Loads the image. Throws before anything runs when it cannot be booted. */
  boot(): string {
    return this.#engine.boot();
  }

  async run(entry: string, turn: () => Promise<void>): Promise<void> {
    try {
      await turn(); // lets the answer to `start` leave
      this.#report({ kind: 'started', entry });
      let end = await this.#loop.run();
      while (this.#restarts(end)) end = await this.#loop.run();
      if (!this.#isCancelled()) this.#remote?.fence();
      this.#engine.finish?.();
      this.#report({ kind: 'exit', exit: this.#exit ?? { reason: 'stopped' } });
    } catch (error) {
      // an access to another worker gives up when the machine is being stopped: that is no failure
      if (this.#isCancelled()) this.#report({ kind: 'exit', exit: { reason: 'stopped' } });
      else this.#report({ kind: 'failed', error: toWire(error) });
    }
  }

  pause(): void { this.#loop.pause(); }
  resume(): void { this.#loop.resume(); }

  /** The reset button. */
  reset(): void {
    this.#resetMachine('reset button');
  }

  state(): Omit<MachineState, 'status'> {
    return {
      ...this.#engine.dump(), instructions: this.#engine.instructions, virtualTimeNs: this.#clock.now(), counters: this.#engine.counters(),
    };
  }

  /** A slice that was ended early was ended by what the guest did: it would be seen there too often. */
  readonly #sample = (result: RunResult): void => {
    const nowMs = performance.now();
    if (result === 'stopped' || nowMs - this.#sampledMs < SAMPLE_MS) return;
    this.#sampledMs = nowMs;
    this.#profile?.note(this.#engine.position?.());
  };

  profile(): GuestProfile {
    if (this.#profile === undefined) throw new VmmError('STATE_INVALID', 'Cannot tell where the guest was: no samples were taken', { hint: 'Make the machine with profile: true.' });
    return this.#profile.result(this.#engine.systemEntries?.() ?? { syscallEntry: 0n, sysenterEntry: 0n });
  }

  /** Whether the loop goes on after it ended: a guest's reset, or a triple fault that is to reset. */
  #restarts(end: LoopEnd): boolean {
    if (end === 'shutdown') {
      const dump = this.#engine.dump();
      this.#report({ kind: 'shutdown', dump });
      if (this.#config.onTripleFault === 'stop') this.#exit = { reason: 'triple-fault', dump };
      else this.#resetMachine('triple fault');
      return this.#exit === undefined;
    }
    if (end === 'requested' && this.#exit === undefined && this.#pendingReset !== undefined) {
      this.#resetMachine(this.#pendingReset);
      return true;
    }
    return false;
  }

  #guestReset(cause: string): void {
    if (this.#config.onReset === 'stop') this.#exit = { reason: 'reset' };
    else this.#pendingReset = cause;
    this.#loop.requestEnd();
    this.#block.ring();
  }

  #resetMachine(cause: string): void {
    this.#pendingReset = undefined;
    this.#board.reset();
    this.#report({ kind: 'reset', cause });
    this.#engine.boot();
  }

  #requestExit(exit: GuestExit): void {
    this.#exit ??= exit;
    if (exit.reason === 'poweroff') this.#report({ kind: 'poweroff' });
    this.#loop.requestEnd();
    this.#block.ring();
  }

  readonly #isCancelled = (): boolean => this.#block.isStopRequested;

  /** A reader that does not keep up holds the guest, as flow control would; a stop does not wait for it. */
  #put(sink: ByteSink, byte: number): void {
    if (sink.put(byte)) return;
    sink.flushBlocking(this.#isCancelled);
    sink.put(byte);
  }

  #flush(): void {
    for (const sink of [this.#serialOut, this.#debugOut]) if (!sink.flush()) sink.flushBlocking(this.#isCancelled);
  }

  /** Whether anything came. What is typed waits until the guest listens: a driver that starts clears the FIFO. */
  #poll(): boolean {
    const takesInput = this.#config.placement.serial === 'vcpu' && this.#board.serial.isListening;
    const typed = takesInput ? this.#serialIn.feed(this.#receive) : 0;
    const irqs = this.#irqs === undefined ? 0 : this.#pollIrqs(this.#irqs);
    return typed + irqs > 0;
  }

  readonly #receive = (bytes: Uint8Array): number => this.#board.serial.receive(bytes);

  #pollIrqs(ring: RingConsumer): number {
    let count = 0;
    for (; ring.next(); count++) {
      if (ring.id !== IrqMessages.setLine.id) unknownMessage('irq', ring);
      const word = ring.at >> 2;
      this.#board.setIrq(ring.words[word] ?? 0, ring.words[word + 1] === 1);
    }
    ring.release();
    return count;
  }
}

function placedRemotely(placement: Placement, client: RemoteDevice): NonNullable<BoardOptions['remote']> {
  return {
    ...(placement.serial === 'worker' ? { serial: client } : {}),
    ...(placement.debugConsole === 'worker' ? { debugConsole: client } : {}),
  };
}

function connectRemote(rings: RemoteDeviceRings, isCancelled: () => boolean): AccessClient {
  const requests = new RingProducer(rings.requests, { dataBell: new ControlBlock(rings.control) });
  return new AccessClient(requests, new RingConsumer(rings.replies), { name: rings.workerName, isCancelled });
}

/** Serves one vCPU from this worker. */
export function serveVcpu(parts: WorkerParts, createEngine: EngineFactory): void {
  const gate = new CallGate(parts.turn);
  let server: VcpuServer | undefined;
  let entry = '';
  const made = (): VcpuServer => {
    invariant(server !== undefined, 'a vCPU is configured before it is used');
    return server;
  };
  const configure = (config: VcpuConfig, report: Report): VcpuReady => {
    const block = new ControlBlock(config.control);
    gate.attach(block);
    const timed = <T>(phase: string, work: () => T): T => {
      const startMs = performance.now();
      const result = work();
      report({ kind: 'progress', phase, ms: performance.now() - startMs });
      return result;
    };
    server = timed('make the machine', () => new VcpuServer(config, report, gate, block, createEngine));
    entry = timed('load the kernel', () => made().boot());
    return server.ready;
  };
  const api: VcpuControl = {
    configure,
    ...gate.counted({
      start: () => { void made().run(entry, parts.turn); },
      pause: () => { made().pause(); },
      resume: () => { made().resume(); },
      reset: () => { made().reset(); },
      state: () => made().state(),
      profile: () => made().profile(),
    }),
  };
  parts.serveControl(api);
}
