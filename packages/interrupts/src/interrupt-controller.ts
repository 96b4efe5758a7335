import type { Clock, Device, IrqLine, Nanoseconds } from '@vmm/device-kit';
import { DELIVERY_MODE, ICR } from '@vmm/spec';
import type { ApicBus, ApicMessage } from './apic-message.ts';
import { IoApic } from './io-apic.ts';
import { IrqRouter } from './irq-router.ts';
import { LocalApic } from './local-apic.ts';
import { Pic8259Pair } from './pic8259-pair.ts';

export interface InterruptControllerOptions {
  readonly clock: Clock;
  /** Default 1. APIC ids are 0 to n - 1. */
  readonly vcpus?: number;
  /** Default: the number of vCPUs, as the MP tables of small boards have it. */
  readonly ioApicId?: number;
  /** See `LocalApicOptions`; one for all. */
  readonly busHz?: number;
  readonly tscToNs?: (tsc: number) => Nanoseconds;
  readonly hasX2apic?: boolean;
  /** Default true: what a BIOS would have done. */
  readonly isVirtualWire?: boolean;
  /** A vCPU has moved its register page (undefined: it has none now). */
  readonly onRelocate?: (vcpu: number, gpa: number | undefined) => void;
}

interface InterruptControllerState {
  readonly pic: unknown;
  readonly ioApic: unknown;
  readonly localApics: readonly unknown[];
  readonly isNmiHigh: boolean;
}

/** The board's interrupt system in one worker: 8259s, IO-APIC, a local APIC a vCPU, and the wires between them. */
export class InterruptController implements ApicBus {
  readonly pic: Pic8259Pair;
  readonly ioApic: IoApic;
  readonly localApics: readonly LocalApic[];
  readonly router: IrqRouter;
  #isNmiHigh = false;
  /** Where the next search for the lowest priority begins, so that equals take turns. */
  #turn = 0;

  constructor(options: InterruptControllerOptions) {
    const { clock, busHz, tscToNs, hasX2apic, onRelocate, vcpus = 1, isVirtualWire = true } = options;
    this.pic = new Pic8259Pair({ onIntr: (level) => this.#setIntr(level) });
    this.ioApic = new IoApic({ id: options.ioApicId ?? vcpus, deliver: (message) => this.send(message, -1) });
    this.router = new IrqRouter({ pic: this.pic, ioApic: this.ioApic, deliver: (message) => this.send(message, -1) });
    this.localApics = Array.from({ length: vcpus }, (_, id) => new LocalApic({
      id, clock, bus: this, isBootProcessor: id === 0, isVirtualWire,
      acknowledgeExternal: () => this.pic.acknowledge(),
      ...(busHz === undefined ? {} : { busHz }),
      ...(tscToNs === undefined ? {} : { tscToNs }),
      ...(hasX2apic === undefined ? {} : { hasX2apic }),
      ...(onRelocate === undefined ? {} : { onRelocate: (gpa: number | undefined) => onRelocate(id, gpa) }),
    }));
  }

  /** The devices that every vCPU shares; each vCPU's own register page is `cpu(i)`. */
  get devices(): readonly Device[] {
    return [this.pic, this.ioApic];
  }

  gsi(gsi: number): IrqLine {
    return this.router.line(gsi);
  }

  cpu(index: number): LocalApic {
    const apic = this.localApics[index];
    if (apic === undefined) throw new RangeError(`no vCPU ${index}`);
    return apic;
  }

  msi(address: number, data: number): boolean {
    return this.router.msi(address, data);
  }

  /** The board's NMI: a watchdog, a button. LINT1 of every vCPU. */
  readonly nmi: IrqLine = {
    set: (level) => {
      this.#isNmiHigh = level;
      for (const apic of this.localApics) apic.setLint(1, level);
    },
  };

  // ApicBus

  send(message: ApicMessage, sourceId: number): void {
    if (message.deliveryMode === DELIVERY_MODE.LOWEST_PRIORITY) return this.#sendLowest(message, sourceId);
    for (const apic of this.localApics) {
      if (isFor(apic, message, sourceId)) apic.receive(message.deliveryMode, message.vector, message.isLevelTriggered);
    }
  }

  endOfInterrupt(vector: number): void {
    this.ioApic.endOfInterrupt(vector);
  }

  reset(): void {
    this.pic.reset();
    this.ioApic.reset();
    for (const apic of this.localApics) apic.reset();
  }

  save(): InterruptControllerState {
    return {
      pic: this.pic.save(), ioApic: this.ioApic.save(), localApics: this.localApics.map((apic) => apic.save()),
      isNmiHigh: this.#isNmiHigh,
    };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as InterruptControllerState;
    this.#isNmiHigh = state.isNmiHigh;
    this.ioApic.restore(state.ioApic);
    this.pic.restore(state.pic);
    for (const [index, apic] of this.localApics.entries()) apic.restore(state.localApics[index]);
  }

  #setIntr(level: boolean): void {
    for (const apic of this.localApics) apic.setLint(0, level);
    this.ioApic.setPin(0, level);
  }

  #sendLowest(message: ApicMessage, sourceId: number): void {
    const count = this.localApics.length;
    let best: LocalApic | undefined;
    for (let i = 0; i < count; i++) {
      const apic = this.localApics[(this.#turn + i) % count];
      if (apic === undefined || !apic.isSoftwareEnabled || !isFor(apic, message, sourceId)) continue;
      if (best === undefined || apic.processorPriority() < best.processorPriority()) best = apic;
    }
    if (best === undefined) return;
    this.#turn = (best.id + 1) % count;
    best.receive(message.deliveryMode, message.vector, message.isLevelTriggered);
  }
}

function isFor(apic: LocalApic, message: ApicMessage, sourceId: number): boolean {
  switch (message.shorthand) {
    case ICR.SHORTHAND_ALL: return apic.isEnabled;
    case ICR.SHORTHAND_OTHERS: return apic.isEnabled && apic.id !== sourceId;
    default: return apic.matches(message.destination, message.isLogical);
  }
}
