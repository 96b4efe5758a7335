import type { Clock } from '@vmm/clock';
import { MmioBus, PortBus } from '@vmm/device-kit';
import type { Device } from '@vmm/device-kit';
import { Pit } from '@vmm/devices-timer';
import { Pic8259Pair } from '@vmm/interrupts';
import { DeviceProxy } from './remote-device.ts';
import type { RemoteDevice } from './remote-device.ts';
import { COM1_IRQ, PLACEABLE_DEVICES } from './serial-devices.ts';
import type { ByteOutput, PlaceableDevice } from './serial-devices.ts';

export interface BoardOptions {
  /** Guest RAM from 0, for the chips that tell the guest (CMOS). */
  readonly memoryBytes: number;
  /** The machine's virtual time; the run loop calls its `runExpired()`. */
  readonly clock: Clock;
  /** The vCPU should look at `interrupts` (or at the requests below) before the next block. Any of the board's devices may cause it. */
  readonly onAttention: () => void;
  /** What the guest sends to COM1. */
  readonly serial: ByteOutput;
  /** What the guest writes to the debug console (port 0xE9). Default: nowhere. */
  readonly debugConsole?: ByteOutput;
  readonly onPowerOff: () => void;
  /** The guest pulled RESET#: `cause` names how (keyboard controller, port 0xCF9, port 0x92 …). */
  readonly onReset: (cause: string) => void;
  /** The guest wrote to the debug-exit port. Default: ignored. */
  readonly onDebugExit?: (code: number) => void;
  /** Milliseconds since 1970, for the real-time clock. */
  readonly wallClockMs: () => number;
  /** A20 gate changed. */
  readonly onA20?: (open: boolean) => void;
  /** Devices that run in another worker. */
  readonly remote?: Partial<Record<PlaceableDevice, RemoteDevice>>;
}

/** The vCPU's view of the interrupt controllers. */
export interface InterruptSource {
  /** A maskable interrupt waits for IF. */
  pending(): boolean;
  /** The vector of the interrupt to deliver; only when `pending()`. */
  acknowledge(): number;
  /** Takes an NMI, if there is one. */
  takeNmi(): boolean;
}

export interface Board {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly interrupts: InterruptSource;
  readonly serial: {
    /** Types into COM1; answers how many bytes were taken. */
    receive(bytes: Uint8Array): number;
  };
  /** ISA interrupt lines, for devices in other workers. */
  setIrq(irq: number, level: boolean): void;
  /** RESET#: every chip, not the vCPU. */
  reset(): void;
  readonly devices: readonly Device[];
}

/** Board `pc`: the chips of an i440FX-style PC. Needs no worker: every placement is up to `remote`. */
export function createBoard(options: BoardOptions): Board {
  const ports = new PortBus();
  const mmio = new MmioBus();
  const devices: Device[] = [];
  const attach = <D extends Device>(device: D): D => {
    devices.push(device);
    ports.attach(device);
    mmio.attach(device);
    return device;
  };

  const pic = attach(new Pic8259Pair({ onIntr: (level) => { if (level) options.onAttention(); } }));
  attach(new Pit({ clock: options.clock, irq: pic.line(0) }));
  const uart = PLACEABLE_DEVICES.serial({ clock: options.clock, irq: pic.line(COM1_IRQ), output: options.serial });
  attach(options.remote?.serial === undefined ? uart : new DeviceProxy(uart, options.remote.serial));

  return {
    ports, mmio, devices,
    interrupts: {
      pending: () => pic.intr,
      acknowledge: () => pic.acknowledge(),
      takeNmi: () => false,
    },
    serial: { receive: (bytes) => uart.receive(bytes) },
    setIrq: (irq, level) => { pic.setIrq(irq, level); },
    reset: () => { for (const device of devices) device.reset(); },
  };
}
