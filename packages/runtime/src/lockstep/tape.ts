import type { ApicPort, CpuClock, IoPorts, RandomWord } from '@vmm/cpu';
import type { MmioHandler } from '@vmm/memory';
import { VmmError } from '@vmm/spec';

type Value = number | bigint | boolean;

/** Everything that reaches a vCPU from outside its own state and memory goes through here, in the order of the guest's instructions. */
export interface Tape {
  /** `what` names the access and what was written. The machine that records calls `produce`; the one that replays does not. */
  through<T extends Value>(what: string, produce: () => T): T;
}

interface Entry { readonly what: string; readonly value: Value }

/** The guest asked for something else than in the recorded run. */
export class InputMismatch extends VmmError {
  /** The tape was at its end. */
  readonly isAfterEnd: boolean;
  constructor(asked: string, recorded: string | undefined) {
    super('LOCKSTEP_INPUT', `access ${asked} where the other engine made ${recorded ?? 'none'}`, { hint: 'The engines have diverged at this instruction or before.' });
    this.isAfterEnd = recorded === undefined;
  }
}

/** Inputs of one stretch of a run: recorded by one machine, taken by others any number of times. */
export class InputTape implements Tape {
  readonly #entries: Entry[] = [];
  /** Inputs recorded since the machine was made. */
  recorded = 0;

  through<T extends Value>(what: string, produce: () => T): T {
    const value = produce();
    this.#entries.push({ what, value });
    this.recorded++;
    return value;
  }

  /** A reader that stands at the beginning of the stretch. */
  reader(): TapeReader { return new TapeReader(this.#entries); }

  /** Begins a new stretch; readers must be at the end. */
  clear(): void { this.#entries.length = 0; }
}

export class TapeReader implements Tape {
  readonly #entries: readonly Entry[];
  #next = 0;
  constructor(entries: readonly Entry[]) { this.#entries = entries; }

  through<T extends Value>(what: string): T {
    const entry = this.#entries[this.#next];
    if (entry?.what !== what) throw new InputMismatch(what, entry?.what);
    this.#next++;
    return entry.value as T;
  }

  /** What the recording machine did that this one has not done. */
  get missing(): string | undefined { return this.#entries[this.#next]?.what; }
  get position(): number { return this.#next; }
  set position(index: number) { this.#next = index; }
}

/** What the vCPU sees of the machine around it. */
export interface Surroundings {
  readonly ports: IoPorts;
  readonly mmio: MmioHandler;
  readonly apic: ApicPort;
  readonly clock: CpuClock;
  readonly random: RandomWord;
}

const hex = (value: number): string => (value >>> 0).toString(16);

/** The same surroundings with every access on tape. */
export function taped({ ports, mmio, apic, clock, random }: Surroundings, tape: Tape): Surroundings {
  const done = (run: () => void) => (): boolean => { run(); return true; };
  return {
    ports: {
      read: (port, size) => tape.through(`in ${hex(port)}.${size}`, () => ports.read(port, size)),
      write: (port, size, value) => { tape.through(`out ${hex(port)}.${size}=${hex(value)}`, done(() => { ports.write(port, size, value); })); },
    },
    mmio: {
      read: (gpa, size) => tape.through(`read ${hex(gpa)}.${size}`, () => mmio.read(gpa, size)),
      write: (gpa, size, value) => { tape.through(`write ${hex(gpa)}.${size}=${hex(value)}`, done(() => { mmio.write(gpa, size, value); })); },
    },
    apic: {
      get cr8() { return tape.through('cr8', () => apic.cr8); },
      set cr8(value) { tape.through(`cr8=${hex(value)}`, done(() => { apic.cr8 = value; })); },
      get apicBaseLow() { return tape.through('apic base low', () => apic.apicBaseLow); },
      get apicBaseHigh() { return tape.through('apic base high', () => apic.apicBaseHigh); },
      writeApicBase: (low, high) => tape.through(`apic base=${hex(high)}:${hex(low)}`, () => apic.writeApicBase(low, high)),
      writeMsr: (msr, low, high) => tape.through(`msr ${hex(msr)}=${hex(high)}:${hex(low)}`, () => apic.writeMsr(msr, low, high)),
      readMsr: (msr) => tape.through(`msr ${hex(msr)}`, () => apic.readMsr(msr)),
      get msrLow() { return tape.through('msr low', () => apic.msrLow); },
      get msrHigh() { return tape.through('msr high', () => apic.msrHigh); },
    },
    clock: { tscHz: clock.tscHz, readTsc: () => tape.through('tsc', () => clock.readTsc()) },
    random: () => tape.through('random', random),
  };
}
