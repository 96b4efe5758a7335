import type { IrqLine } from '@vmm/device-kit';
import type { IoApic } from './io-apic.ts';
import { IO_APIC_PINS } from './io-apic.ts';
import { decodeMsi } from './msi.ts';
import type { ApicMessage } from './apic-message.ts';
import type { Pic8259Pair } from './pic8259-pair.ts';

export interface IrqRouterOptions {
  readonly pic: Pic8259Pair;
  readonly ioApic: IoApic;
  readonly deliver: (message: ApicMessage) => void;
}

const ISA_LINES = 16;
/** The override in every PC's MADT: ISA interrupt 0 arrives at pin 2, because pin 0 carries the 8259's output. */
const TIMER_PIN = 2;

/** Wires of the board: a line reaches the 8259 and the IO-APIC at once, the guest listens to one of them. */
export class IrqRouter {
  readonly #options: IrqRouterOptions;

  constructor(options: IrqRouterOptions) {
    this.#options = options;
  }

  /**
   * Global system interrupt `gsi`. 0 to 15 are the ISA interrupts (0 and 2 both mean the timer: 8259 input 0, IO-APIC
   * pin 2); from 16 on they reach the IO-APIC only.
   */
  line(gsi: number): IrqLine {
    const { pic, ioApic } = this.#options;
    if (gsi >= IO_APIC_PINS) return { set() {} };
    if (gsi >= ISA_LINES) return { set: (level) => ioApic.setPin(gsi, level) };
    const pin = gsi === 0 ? TIMER_PIN : gsi;
    const irq = gsi === TIMER_PIN ? 0 : gsi;
    return {
      set(level) {
        pic.setIrq(irq, level);
        ioApic.setPin(pin, level);
      },
    };
  }

  /** A device's memory write to an interrupt address; answers false when the address is ordinary memory. */
  msi(address: number, data: number): boolean {
    const message = decodeMsi(address, data);
    if (message === undefined) return false;
    this.#options.deliver(message);
    return true;
  }
}
