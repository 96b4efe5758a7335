import { AccessServer, ByteSink, ByteSource, IrqMessages, RingConsumer, RingProducer } from '@vmm/bus';
import { SerialDevices } from '@vmm/chipset';
import { HostTime, VirtualClock } from '@vmm/clock';
import { invariant } from '@vmm/spec';
import { CallGate } from './call-gate.ts';
import { ControlBlock } from './control-block.ts';
import type { ConsoleControl, ConsoleWorkerConfig } from './vcpu-control.ts';
import type { WorkerParts } from './vcpu-server.ts';

const LONGEST_SLEEP_MS = 1000;

/** The console worker: the same serial and debug devices as on the board, behind the access ring. It holds no guest memory. */
class ConsoleServer {
  readonly #block: ControlBlock;
  readonly #gate: CallGate;
  readonly #time: HostTime;
  readonly #clock: VirtualClock;
  readonly #devices: SerialDevices;
  readonly #access: AccessServer;
  readonly #serialOut: ByteSink;
  readonly #serialIn: ByteSource;
  readonly #debugOut: ByteSink;
  readonly #irqs: RingProducer;
  readonly #takesInput: boolean;
  #isPaused = false;

  constructor(config: ConsoleWorkerConfig, block: ControlBlock, gate: CallGate) {
    this.#block = block;
    this.#gate = gate;
    this.#time = new HostTime({ hostNowMs: () => performance.now(), scale: config.clockScale });
    this.#clock = new VirtualClock(this.#time.now);
    this.#takesInput = config.placement.serial === 'worker';
    this.#serialOut = new ByteSink(new RingProducer(config.serial.output));
    this.#serialIn = new ByteSource(new RingConsumer(config.serial.input));
    this.#debugOut = new ByteSink(new RingProducer(config.debugOutput));
    const vcpu = new ControlBlock(config.vcpuControl);
    vcpu.attachAttention(config.vcpu.memory, config.vcpu.attention);
    this.#irqs = new RingProducer(config.irqs, { dataBell: vcpu });
    this.#devices = new SerialDevices({
      clock: this.#clock,
      placed: (device) => config.placement[device] === 'worker',
      serial: { transmit: (byte) => { this.#put(this.#serialOut, byte); } },
      debugConsole: { transmit: (byte) => { this.#put(this.#debugOut, byte); } },
      setIrq: (gsi, level) => { this.#setIrq(gsi, level); },
      flush: () => { this.#flush(); },
    });
    this.#access = new AccessServer(new RingConsumer(config.requests), new RingProducer(config.replies), this.#devices);
  }

  readonly #receive = (bytes: Uint8Array): number => this.#devices.receive(bytes);

  pause(): void {
    this.#isPaused = true;
    this.#time.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#time.resume();
  }

  /** Until the worker is terminated. */
  async run(turn: () => Promise<void>): Promise<never> {
    await turn();
    this.#time.resume();
    for (;;) {
      this.#block.takeRings();
      const served = this.#access.serve();
      this.#clock.runExpired();
      if (this.#takesInput && this.#devices.isListening) this.#serialIn.feed(this.#receive);
      this.#flush();
      if (this.#gate.hasCalls) await this.#gate.serveCalls();
      else if (served === 0) this.#block.sleep(this.#isPaused ? LONGEST_SLEEP_MS : Math.min(LONGEST_SLEEP_MS, this.#time.hostMsUntil(this.#clock.nextDeadline())));
    }
  }

  #setIrq(gsi: number, level: boolean): void {
    while (!this.#irqs.begin(IrqMessages.setLine.id, IrqMessages.setLine.sizeBytes)) this.#irqs.waitForRoom(10);
    const word = this.#irqs.at >> 2;
    this.#irqs.words[word] = gsi;
    this.#irqs.words[word + 1] = level ? 1 : 0;
    this.#irqs.publish();
  }

  #put(sink: ByteSink, byte: number): void {
    if (sink.put(byte)) return;
    sink.flushBlocking(() => false);
    sink.put(byte);
  }

  #flush(): void {
    for (const sink of [this.#serialOut, this.#debugOut]) if (!sink.flush()) sink.flushBlocking(() => false);
  }
}

/** Serves the console devices of one machine from this worker. */
export function serveConsole(parts: WorkerParts): void {
  const gate = new CallGate(parts.turn);
  let server: ConsoleServer | undefined;
  const made = (): ConsoleServer => {
    invariant(server !== undefined, 'a console worker is configured before it is used');
    return server;
  };
  const api: ConsoleControl = {
    configure: (config) => {
      const block = new ControlBlock(config.control);
      gate.attach(block);
      server = new ConsoleServer(config, block, gate);
    },
    ...gate.counted({
      start: () => { void made().run(parts.turn); },
      pause: () => { made().pause(); },
      resume: () => { made().resume(); },
    }),
  };
  parts.serveControl(api);
}
