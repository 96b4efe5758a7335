import { createRing } from '@vmm/bus';
import { connect, fromWire, proxy, transfer } from '@vmm/bus/control';
import type { Supervised, WorkerHandle } from '@vmm/bus/control';
import { VmmError } from '@vmm/spec';
import { announced } from './call-gate.ts';
import type { MakerConfig } from '@vmm/translator';
import { ControlBlock } from './control-block.ts';
import { Emitter } from './emitter.ts';
import type { GuestProfile } from './guest-profile.ts';
import type { MachineEvents, MachineExit, MachineState, MachineStatus } from './machine-events.ts';
import type { MachineConfig } from './options.ts';
import { SerialPort } from './serial-port.ts';
import { TranslatorLink } from './translator-link.ts';
import { vcpuWorkerName } from './worker-name.ts';
import type { ConsoleControl, RemoteDeviceRings, VcpuConfig, VcpuControl, VcpuEvent } from './vcpu-control.ts';

/** What a machine needs of the program or page it lives in. */
export interface MachineHost {
  spawnVcpu(name: string): WorkerHandle;
  spawnConsole(name: string): WorkerHandle;
  spawnTranslator(name: string): WorkerHandle;
}

const STOP_GRACE_MS = 80;

/** One virtual machine: its workers, its serial line, its events. Made by `createMachine`. */
export class Machine {
  readonly name: string;
  readonly config: MachineConfig;
  readonly serial = new SerialPort();
  readonly events = new Emitter<MachineEvents>();
  /** Resolves when the machine has ended, however it did; never rejects. */
  readonly exited: Promise<MachineExit>;

  readonly #host: MachineHost;
  readonly #block = new ControlBlock();
  readonly #consoleBlock = new ControlBlock();
  readonly #debug = new SerialPort();
  readonly #workers: WorkerHandle[] = [];
  #vcpu: Supervised<VcpuControl> | undefined;
  #console: Supervised<ConsoleControl> | undefined;
  #status: MachineStatus = 'created';
  #settleExit: (exit: MachineExit) => void = () => {};

  constructor(config: MachineConfig, host: MachineHost) {
    this.name = config.name;
    this.config = config;
    this.#host = host;
    this.exited = new Promise((resolve) => { this.#settleExit = resolve; });
    this.serial.onData((data) => { this.events.emit('serial', data); });
    this.#debug.onData((data) => { this.events.emit('debug', data); });
  }

  get status(): MachineStatus {
    return this.#status;
  }

  /** Loads and runs. Rejects when the machine cannot be made (bad kernel, no memory); everything is released then. */
  async start(): Promise<void> {
    if (this.#status !== 'created') throw this.#wrongState('start');
    this.#status = 'running';
    try {
      await this.#build();
    } catch (error) {
      this.#finish({ reason: 'error', error: error as Error });
      await this.#terminate();
      throw error;
    }
  }

  /** Stops the vCPU and virtual time. */
  async pause(): Promise<void> {
    if (this.#status === 'paused') return;
    if (this.#status !== 'running' || this.#vcpu === undefined) throw this.#wrongState('pause');
    await this.#vcpu.pause();
    await this.#console?.pause();
    this.#status = 'paused';
    this.events.emit('paused', undefined);
  }

  async resume(): Promise<void> {
    if (this.#status === 'running') return;
    if (this.#status !== 'paused' || this.#vcpu === undefined) throw this.#wrongState('resume');
    await this.#console?.resume();
    await this.#vcpu.resume();
    this.#status = 'running';
    this.events.emit('resumed', undefined);
  }

  /** The reset button: devices reset, the kernel is loaded again. */
  async reset(): Promise<void> {
    if (this.#vcpu === undefined || this.#status === 'stopped') throw this.#wrongState('reset');
    await this.#vcpu.reset();
  }

  /** Ends the machine within 100 ms, whatever the guest is doing. Safe to call twice. */
  async stop(): Promise<MachineExit> {
    if (this.#status === 'created') this.#finish({ reason: 'stopped' });
    if (this.#status !== 'stopped') {
      this.#block.requestStop();
      if (this.#status === 'paused') void this.#vcpu?.resume().catch(() => {});
      const timer = setTimeout(() => { this.#finish({ reason: 'stopped' }); }, STOP_GRACE_MS);
      await this.exited;
      clearTimeout(timer);
    }
    await this.#terminate();
    return this.exited;
  }

  /** Registers, mode, counters and the last instructions, of a running, paused or just stopped machine. */
  async state(): Promise<MachineState> {
    if (this.#vcpu === undefined) throw this.#wrongState('inspect');
    return { status: this.#status, ...await this.#vcpu.state() };
  }

  /** Where the guest has been, of a machine made with `profile: true`. */
  async profile(): Promise<GuestProfile> {
    if (this.#vcpu === undefined) throw this.#wrongState('profile');
    return this.#vcpu.profile();
  }

  /** Stops the machine if it runs and releases everything. Safe to call twice. */
  async close(): Promise<void> {
    await this.stop();
  }

  async #build(): Promise<void> {
    const { config } = this;
    const { serial, debugConsole, translator } = config.placement, hasRemote = serial === 'worker' || debugConsole === 'worker';
    const link = translator === 'worker' && config.engine === 'bare' ? new TranslatorLink() : undefined;
    const rings = { requests: createRing(4096), replies: createRing(256), irqs: createRing(4096) };
    const consoleName = `${this.name} console`;
    const remote: RemoteDeviceRings | undefined = hasRemote ? { ...rings, workerName: consoleName, control: this.#consoleBlock.buffer } : undefined;
    const worker = this.#adopt(this.#host.spawnVcpu(vcpuWorkerName(this.name)));
    const control = connect<VcpuControl>(worker);
    const vcpuConfig: VcpuConfig = {
      ...config, index: 0, control: this.#block.buffer, serial: this.serial.rings, debugOutput: this.#debug.rings.output, remote, translator: link?.vcpuEnd,
    };
    const ready = await control.configure(transfer(vcpuConfig, link === undefined ? [] : [link.vcpuEnd.port as never]), proxy((event: VcpuEvent) => { this.#onEvent(event); }));
    const vcpu = this.#vcpu = announced(control, this.#block);
    this.#block.attachAttention(ready.memory, ready.attention);
    this.serial.attach(serial === 'worker' ? this.#consoleBlock : this.#block);
    if (remote !== undefined) {
      const consoleWorker = this.#adopt(this.#host.spawnConsole(consoleName));
      const consoleControl = connect<ConsoleControl>(consoleWorker);
      await consoleControl.configure({
        placement: config.placement, clockScale: config.clock.kind === 'host' ? config.clock.scale : 1, control: this.#consoleBlock.buffer,
        ...rings, vcpuControl: this.#block.buffer, vcpu: ready, serial: this.serial.rings, debugOutput: this.#debug.rings.output,
      });
      this.#console = announced(consoleControl, this.#consoleBlock);
      await this.#console.start();
    }
    for (const port of [this.serial, this.#debug]) void port.pump();
    if (this.#isStopped()) throw this.#wrongState('start');
    await vcpu.start();
    // not before the guest runs: it has nothing hot yet
    if (link !== undefined && ready.maker !== undefined) await this.#startTranslator(link, ready.maker);
  }

  async #startTranslator(link: TranslatorLink, maker: MakerConfig): Promise<void> {
    const worker = this.#host.spawnTranslator(`${this.name} translator`);
    this.#workers.push(worker);
    worker.onDeath((death) => { if (!this.#isStopped()) this.events.emit('degraded', death); });
    await link.serveFrom(worker, maker).catch((error: unknown) => { if (worker.died === undefined) throw error; });
  }

  #isStopped(): boolean {
    return this.#status === 'stopped';
  }

  #adopt(worker: WorkerHandle): WorkerHandle {
    this.#workers.push(worker);
    worker.onDeath((death) => {
      if (this.#isStopped()) return;
      this.events.emit('error', death);
      this.#finish({ reason: 'error', error: death });
      void this.#terminate();
    });
    return worker;
  }

  #onEvent(event: VcpuEvent): void {
    if (this.#isStopped()) return;
    switch (event.kind) {
      case 'started': this.events.emit('started', { entry: event.entry }); break;
      case 'halted': this.events.emit('halted', event.dump); break;
      case 'shutdown': this.events.emit('shutdown', event.dump); break;
      case 'reset': this.events.emit('reset', { cause: event.cause }); break;
      case 'poweroff': this.events.emit('poweroff', undefined); break;
      case 'progress': this.events.emit('progress', { phase: event.phase, ms: event.ms }); break;
      case 'exit': this.#finish(event.exit); break;
      case 'failed': {
        const error = fromWire(event.error);
        this.events.emit('error', error);
        this.#finish({ reason: 'error', error });
        break;
      }
    }
  }

  #finish(exit: MachineExit): void {
    if (this.#isStopped()) return;
    for (const port of [this.serial, this.#debug]) port.close();
    this.#status = 'stopped';
    this.events.emit('exit', exit);
    this.#settleExit(exit);
  }

  async #terminate(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #wrongState(verb: string): VmmError {
    return new VmmError('STATE_INVALID', `Cannot ${verb} machine ${this.name}: it is ${this.#status}`, {
      hint: this.#status === 'stopped' ? 'Make a new machine with createMachine.' : 'Call start() first.',
    });
  }
}
