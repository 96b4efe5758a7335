import type { AccessSize, Device, IrqLine } from '@vmm/device-kit';
import { PORT } from '@vmm/spec';
import { Pic8259 } from './pic8259.ts';
import type { PicState } from './pic8259.ts';

export interface Pic8259PairOptions {
  /** The INTR output towards LINT0 and the IO-APIC's pin 0. */
  readonly onIntr: (level: boolean) => void;
}

interface PairState {
  readonly master: PicState;
  readonly slave: PicState;
}

/** Inputs 0, 1, 2 and 8, 13 are edge triggered on every PC (82371SB datasheet, ELCR1 and ELCR2). */
const MASTER_ELCR_MASK = 0xf8;
const SLAVE_ELCR_MASK = 0xde;
const CASCADE_INPUT = 2;

/** The PC's two 8259As, cascaded, with the edge/level control registers. */
export class Pic8259Pair implements Device {
  readonly name = 'pic';
  readonly ports = [
    { base: PORT.PIC_MASTER_COMMAND, length: 2 },
    { base: PORT.PIC_SLAVE_COMMAND, length: 2 },
    { base: PORT.ELCR1, length: 2 },
  ];
  readonly #master: Pic8259;
  readonly #slave: Pic8259;

  constructor(options: Pic8259PairOptions) {
    this.#master = new Pic8259({ isMaster: true, elcrMask: MASTER_ELCR_MASK, onOutput: options.onIntr });
    this.#slave = new Pic8259({
      isMaster: false, elcrMask: SLAVE_ELCR_MASK, onOutput: (level) => this.#master.setInput(CASCADE_INPUT, level),
    });
  }

  /** Level of the INTR output. */
  get intr(): boolean {
    return this.#master.output;
  }

  /** Input `irq` (0 to 15) as a wire. Input 2 is the cascade: a line there goes nowhere. */
  line(irq: number): IrqLine {
    return { set: (level) => this.setIrq(irq, level) };
  }

  setIrq(irq: number, level: boolean): void {
    if (irq >= 8) this.#slave.setInput(irq & 7, level);
    else if (irq !== CASCADE_INPUT) this.#master.setInput(irq, level);
  }

  /** The INTA cycle: answers the vector; a request that has gone away gives the spurious IRQ 7 or 15. */
  acknowledge(): number {
    if (this.#master.pendingInput() !== CASCADE_INPUT) return this.#master.vector(this.#master.acknowledge());
    this.#master.acknowledge();
    return this.#slave.vector(this.#slave.acknowledge());
  }

  pioRead(port: number, _size: AccessSize): number {
    switch (port) {
      case PORT.PIC_MASTER_COMMAND: return this.#master.readCommand();
      case PORT.PIC_MASTER_DATA: return this.#master.readData();
      case PORT.PIC_SLAVE_COMMAND: return this.#slave.readCommand();
      case PORT.PIC_SLAVE_DATA: return this.#slave.readData();
      case PORT.ELCR1: return this.#master.elcr;
      case PORT.ELCR2: return this.#slave.elcr;
      default: return 0xff;
    }
  }

  pioWrite(port: number, _size: AccessSize, value: number): void {
    const byte = value & 0xff;
    switch (port) {
      case PORT.PIC_MASTER_COMMAND: return this.#master.writeCommand(byte);
      case PORT.PIC_MASTER_DATA: return this.#master.writeData(byte);
      case PORT.PIC_SLAVE_COMMAND: return this.#slave.writeCommand(byte);
      case PORT.PIC_SLAVE_DATA: return this.#slave.writeData(byte);
      case PORT.ELCR1: this.#master.elcr = byte; return;
      case PORT.ELCR2: this.#slave.elcr = byte; return;
      default: return;
    }
  }

  reset(): void {
    this.#master.reset();
    this.#slave.reset();
  }

  save(): PairState {
    return { master: this.#master.save(), slave: this.#slave.save() };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as PairState;
    this.#slave.restore(state.slave);
    this.#master.restore(state.master);
  }
}
