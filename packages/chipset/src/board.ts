import type { Clock } from '@vmm/clock';
import { MmioBus, PortBus } from '@vmm/device-kit';
import type { Device, IrqLine } from '@vmm/device-kit';
import { AcpiPm, ResetControl } from '@vmm/devices-acpi';
import { DebugExit, PostCode } from '@vmm/devices-debug';
import { I8042 } from '@vmm/devices-input';
import { cmosBytes, Pit, Rtc } from '@vmm/devices-timer';
import { InterruptController } from '@vmm/interrupts';
import type { LocalApic } from '@vmm/interrupts';
import { ACPI_PM } from '@vmm/spec';
import { createPci } from './pci.ts';
import type { BoardPci } from './pci.ts';
import { CoprocessorError } from './coprocessor-error.ts';
import { DeviceProxy } from './remote-device.ts';
import type { RemoteDevice } from './remote-device.ts';
import { COM1_IRQ, PLACEABLE_DEVICES } from './serial-devices.ts';
import type { ByteOutput, PlaceableDevice } from './serial-devices.ts';

export interface BoardOptions {
  /** Guest RAM from 0, for the chips that tell the guest (CMOS). */
  readonly memoryBytes: number;
  /** The machine's virtual time; the run loop calls its `runExpired()`. */
  readonly clock: Clock;
  /** The vCPU should ask `cpu` again whether an interrupt waits. */
  readonly onAttention: () => void;
  /** Input clock of the local APIC timers. Linux takes CPUID leaf 15H's crystal for it: they must agree. Default 25 MHz. */
  readonly lapicHz?: number;
  /** When the time-stamp counter will have a value, for the TSC-deadline timer. Default: no such mode. */
  readonly tscToNs?: (tsc: number) => number;
  /** What the guest sends to COM1. */
  readonly serial: ByteOutput;
  /** What the guest writes to the debug console (port 0xE9). Default: nowhere. */
  readonly debugConsole?: ByteOutput;
  readonly onPowerOff: () => void;
  /** The guest pulled RESET#: `cause` names how (keyboard controller, port 0xCF9, port 0x92 …). */
  readonly onReset: (cause: string) => void;
  /** The guest wrote to the debug-exit port; the code is QEMU's, (value << 1) | 1. Default: ignored. */
  readonly onDebugExit?: (code: number) => void;
  /** The real-time clock at virtual time 0, in milliseconds since 1970. */
  readonly startUnixMs: number;
  /** A20 gate changed. */
  readonly onA20?: (open: boolean) => void;
  /** Devices that run in another worker. */
  readonly remote?: Partial<Record<PlaceableDevice, RemoteDevice>>;
}

export interface Board {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** The boot processor's interrupt port and APIC: what `Vcpu` takes as `interrupts` and as `apic`. */
  readonly cpu: LocalApic;
  readonly interrupts: InterruptController;
  readonly pci: BoardPci;
  readonly serial: {
    /** Whether the guest would take a byte now (see `Uart16550`). */
    readonly isListening: boolean;
    /** Types into COM1; answers how many bytes were taken. */
    receive(bytes: Uint8Array): number;
  };
  /** The boot processor's FERR#. */
  readonly raiseFpuError: () => void;
  /** ISA interrupt lines, for devices in other workers. */
  setIrq(irq: number, level: boolean): void;
  /** RESET#: every chip, not the vCPU. */
  reset(): void;
  readonly devices: readonly Device[];
}

const PAGE_BYTES = 0x1000;
const DEFAULT_LAPIC_HZ = 25_000_000;
const ISA_IRQ = { timer: 0, keyboard: 1, rtc: 8, mouse: 12, coprocessor: 13 } as const;

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

  const apicWindow: { move?: (gpa: number | undefined) => void } = {}; // the APIC tells its place before there is a window to move
  const interrupts = new InterruptController({
    clock: options.clock, busHz: options.lapicHz ?? DEFAULT_LAPIC_HZ, onRelocate: (_vcpu, gpa) => { apicWindow.move?.(gpa); },
    ...(options.tscToNs === undefined ? {} : { tscToNs: options.tscToNs }),
  });
  const cpu = interrupts.cpu(0);
  apicWindow.move = followApic(mmio, cpu);
  cpu.onChange = options.onAttention;
  for (const chip of interrupts.devices) attach(chip);

  const gsi = (irq: number): IrqLine => interrupts.gsi(irq);
  attach(new Pit({ clock: options.clock, irq: gsi(ISA_IRQ.timer) }));
  attach(new Rtc({
    clock: options.clock, irq: gsi(ISA_IRQ.rtc), startUnixMs: options.startUnixMs, cmos: cmosBytes({ lowMemoryBytes: options.memoryBytes }),
  }));
  attach(new AcpiPm({ clock: options.clock, sci: gsi(ACPI_PM.SCI), onPowerOff: options.onPowerOff }));
  const pci = createPci({ gsi, resetControl: new ResetControl({ onReset: () => { options.onReset('port 0xCF9'); } }) });
  attach(pci.host);
  const uart = PLACEABLE_DEVICES.serial({ clock: options.clock, irq: gsi(COM1_IRQ), output: options.serial });
  const debugConsole = PLACEABLE_DEVICES.debugConsole({ output: options.debugConsole ?? { transmit: () => {} } });
  const { remote = {} } = options;
  attach(remote.serial === undefined ? uart : new DeviceProxy(uart, remote.serial));
  attach(remote.debugConsole === undefined ? debugConsole : new DeviceProxy(debugConsole, remote.debugConsole));
  attach(new DebugExit({ onExit: (code) => { options.onDebugExit?.(code); } }));
  attach(new PostCode());
  const coprocessorError = attach(new CoprocessorError({ irq: gsi(ISA_IRQ.coprocessor) }));
  const a20 = options.onA20;
  attach(new I8042({
    keyboardIrq: gsi(ISA_IRQ.keyboard), mouseIrq: gsi(ISA_IRQ.mouse), onReset: () => { options.onReset('keyboard controller'); },
    ...(a20 === undefined ? {} : { onA20: a20 }),
  }));

  return {
    ports, mmio, devices, cpu, interrupts, pci,
    serial: uart,
    raiseFpuError: () => { coprocessorError.raise(); },
    setIrq: (irq, level) => { gsi(irq).set(level); },
    reset: () => {
      for (const device of devices) device.reset();
      interrupts.reset();
    },
  };
}

/** Keeps the window of a local APIC's registers where the guest has put it. */
function followApic(mmio: MmioBus, apic: LocalApic): (gpa: number | undefined) => void {
  let current: number | undefined;
  const move = (gpa: number | undefined): void => {
    if (gpa === current) return;
    if (current !== undefined) mmio.release(apic, current);
    if (gpa !== undefined) mmio.claim(apic, { base: gpa, length: PAGE_BYTES });
    current = gpa;
  };
  move(apic.mmio[0]?.base);
  return move;
}
