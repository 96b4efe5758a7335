// One function's configuration space. PCI Local Bus 3.0 chapter 6. @hot
import { UNCONNECTED } from '@vmm/device-kit';
import type { AccessSize, IrqLine } from '@vmm/device-kit';
import { invariant, PCI_BAR, PCI_COMMAND, PCI_CONFIG as CONFIG, PCI_HEADER_TYPE, PCI_STATUS } from '@vmm/spec';
import { barBase, barFixedBits, barOffset, barWritable } from './bar.ts';
import type { Bar, BarChange } from './bar.ts';

/** A piece of configuration space: bytes at reset and which bits the guest may write. */
export interface ConfigBytes {
  readonly offset: number;
  readonly bytes: readonly number[];
  /** Same length; absent: read-only. */
  readonly writable?: readonly number[];
}

/** A capability: its body follows the two bytes of id and link. */
export interface Capability {
  readonly id: number;
  readonly body: readonly number[];
  readonly writable: readonly number[];
}

export interface PciFunctionOptions {
  readonly name: string;
  readonly vendorId: number;
  readonly deviceId: number;
  /** `PCI_CLASS`, and the programming interface. */
  readonly classCode: number;
  readonly programmingInterface?: number;
  readonly revision?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 1 to 4 for INTA to INTD; 0, the default, for none. */
  readonly interruptPin?: number;
  /** Bits of COMMAND that can be set, besides those that the BARs need. */
  readonly command?: number;
  readonly bars?: readonly Bar[];
  readonly capabilities?: readonly Capability[];
  /** Registers of the function's own. */
  readonly registers?: readonly ConfigBytes[];
  /** The guest has mapped, moved or unmapped a BAR. */
  readonly onBar?: (change: BarChange) => void;
  /** After a guest write, with the offsets that it touched. */
  readonly onWrite?: (offset: number, size: number) => void;
}

export const CONFIG_BYTES = 256;
const FIRST_CAPABILITY = 0x40;
const NO_MAPPING = -1;

/**
 * Configuration space of one function: bytes with writable masks as data. What is behind its BARs is somebody else's:
 * a device *has* a PciFunction, it is not one.
 */
export class PciFunction {
  readonly name: string;
  /** Towards the interrupt router; set by the board. */
  intx: IrqLine = UNCONNECTED;
  readonly bars: readonly Bar[];
  readonly interruptPin: number;
  readonly #config = new Uint8Array(CONFIG_BYTES);
  readonly #writable = new Uint8Array(CONFIG_BYTES);
  /** Write one to clear. */
  readonly #clearable = new Uint8Array(CONFIG_BYTES);
  readonly #resetConfig: Uint8Array;
  readonly #onBar: ((change: BarChange) => void) | undefined;
  readonly #onWrite: ((offset: number, size: number) => void) | undefined;
  /** Where each BAR is mapped now, or NO_MAPPING. */
  readonly #mapped: number[];
  readonly #capabilityOffsets: number[] = [];
  #isInterrupting = false;
  /** MSI or MSI-X is on: the pin stays low. */
  isMessageSignalled = false;

  constructor(options: PciFunctionOptions) {
    this.name = options.name;
    this.bars = options.bars ?? [];
    this.interruptPin = options.interruptPin ?? 0;
    this.#onBar = options.onBar;
    this.#onWrite = options.onWrite;
    this.#mapped = this.bars.map(() => NO_MAPPING);
    this.#describeHeader(options);
    for (const bar of this.bars) this.#describeBar(bar);
    for (const registers of options.registers ?? []) this.#describe(registers);
    this.#describeCapabilities(options.capabilities ?? []);
    this.#resetConfig = this.#config.slice();
  }

  // The guest's side

  configRead(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= (this.#config[offset + i] ?? 0xff) << (8 * i);
    return value >>> 0;
  }

  configWrite(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size && offset + i < CONFIG_BYTES; i++) {
      const at = offset + i;
      const byte = (value >>> (8 * i)) & 0xff;
      const mask = this.#writable[at] ?? 0;
      this.#config[at] = (((this.#config[at] ?? 0) & ~mask) | (byte & mask)) & ~(byte & (this.#clearable[at] ?? 0));
    }
    this.#updateMappings();
    this.#updateIntx();
    this.#onWrite?.(offset, size);
  }

  // The device's side

  get16(offset: number): number {
    return this.configRead(offset, 2);
  }

  get32(offset: number): number {
    return this.configRead(offset, 4);
  }

  /** Writes past the masks. */
  set(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.#config[offset + i] = (value >>> (8 * i)) & 0xff;
  }

  /** Offset of the n-th capability given at construction. */
  capabilityOffset(index: number): number {
    const offset = this.#capabilityOffsets[index];
    invariant(offset !== undefined, `${this.name} has capability ${index}`);
    return offset;
  }

  get isBusMaster(): boolean {
    return (this.get16(CONFIG.COMMAND) & PCI_COMMAND.BUS_MASTER) !== 0;
  }

  /** The function's interrupt: shown in STATUS, and on the pin unless the guest has switched that off. */
  setInterrupt(level: boolean): void {
    this.#isInterrupting = level;
    this.#updateIntx();
  }

  setMultifunction(): void {
    this.#config[CONFIG.HEADER_TYPE]! |= PCI_HEADER_TYPE.MULTIFUNCTION;
    this.#resetConfig[CONFIG.HEADER_TYPE]! |= PCI_HEADER_TYPE.MULTIFUNCTION;
  }

  reset(): void {
    this.#config.set(this.#resetConfig);
    this.#isInterrupting = false;
    this.isMessageSignalled = false;
    this.#updateMappings();
    this.#updateIntx();
  }

  save(): Uint8Array {
    return this.#config.slice();
  }

  restore(config: Uint8Array): void {
    this.#config.set(config);
    this.#isInterrupting = (this.get16(CONFIG.STATUS) & PCI_STATUS.INTERRUPT) !== 0;
    this.#updateMappings();
    this.#updateIntx();
    this.#onWrite?.(0, CONFIG_BYTES);
  }

  // Description

  #describeHeader(options: PciFunctionOptions): void {
    this.set(CONFIG.VENDOR_ID, 2, options.vendorId);
    this.set(CONFIG.DEVICE_ID, 2, options.deviceId);
    this.set(CONFIG.SUBCLASS, 2, options.classCode);
    this.set(CONFIG.PROG_IF, 1, options.programmingInterface ?? 0);
    this.set(CONFIG.REVISION_ID, 1, options.revision ?? 0);
    this.set(CONFIG.SUBSYSTEM_VENDOR_ID, 2, options.subsystemVendorId ?? 0);
    this.set(CONFIG.SUBSYSTEM_ID, 2, options.subsystemId ?? 0);
    this.set(CONFIG.INTERRUPT_PIN, 1, this.interruptPin);
    const hasIo = this.bars.some((bar) => bar.kind === 'io');
    const hasMemory = this.bars.some((bar) => bar.kind !== 'io');
    const command = (options.command ?? 0) | (hasIo ? PCI_COMMAND.IO : 0) | (hasMemory ? PCI_COMMAND.MEMORY : 0)
      | (this.interruptPin !== 0 ? PCI_COMMAND.INTX_DISABLE : 0);
    this.#allow(this.#writable, CONFIG.COMMAND, 2, command);
    this.#allow(this.#writable, CONFIG.CACHE_LINE_SIZE, 2, 0xffff);
    this.#allow(this.#writable, CONFIG.INTERRUPT_LINE, 1, 0xff);
    this.#allow(this.#clearable, CONFIG.STATUS, 2, PCI_STATUS.SIGNALLED_TARGET_ABORT | PCI_STATUS.RECEIVED_TARGET_ABORT
      | PCI_STATUS.RECEIVED_MASTER_ABORT | PCI_STATUS.SIGNALLED_SYSTEM_ERROR | PCI_STATUS.DETECTED_PARITY_ERROR);
  }

  #describeBar(bar: Bar): void {
    const offset = barOffset(bar);
    const [low, high] = barWritable(bar);
    this.set(offset, 4, barFixedBits(bar));
    this.#allow(this.#writable, offset, 4, low);
    if (bar.kind === 'memory64') this.#allow(this.#writable, offset + 4, 4, high);
  }

  #describe(registers: ConfigBytes): void {
    for (const [i, byte] of registers.bytes.entries()) {
      this.#config[registers.offset + i] = byte;
      this.#writable[registers.offset + i] = registers.writable?.[i] ?? 0;
    }
  }

  /** Capabilities in a chain from 0x40, each at a multiple of four. */
  #describeCapabilities(capabilities: readonly Capability[]): void {
    let link: number = CONFIG.CAPABILITIES;
    let offset = FIRST_CAPABILITY;
    for (const { id, body, writable } of capabilities) {
      invariant(offset + 2 + body.length <= CONFIG_BYTES, `capabilities of ${this.name} fit`);
      this.#config[link] = offset;
      link = offset + 1;
      this.#capabilityOffsets.push(offset);
      this.#describe({ offset, bytes: [id, 0, ...body], writable: [0, 0, ...writable] });
      offset = (offset + 2 + body.length + 3) & ~3;
    }
    if (capabilities.length > 0) this.set(CONFIG.STATUS, 2, PCI_STATUS.CAPABILITIES);
  }

  #allow(masks: Uint8Array, offset: number, size: number, mask: number): void {
    for (let i = 0; i < size; i++) masks[offset + i]! |= (mask >>> (8 * i)) & 0xff;
  }

  // Effects

  #updateMappings(): void {
    for (const [index, bar] of this.bars.entries()) {
      const base = this.#decodedBase(bar);
      if (base === this.#mapped[index]) continue;
      this.#mapped[index] = base;
      this.#onBar?.({ bar, base: base === NO_MAPPING ? undefined : base });
    }
  }

  /** A BAR that has never been given an address, or is being sized, decodes nothing. */
  #decodedBase(bar: Bar): number {
    const command = this.get16(CONFIG.COMMAND);
    const low = this.get32(barOffset(bar));
    const isDecoding = (command & (bar.kind === 'io' ? PCI_COMMAND.IO : PCI_COMMAND.MEMORY)) !== 0
      && (bar.index !== 'rom' || (low & PCI_BAR.ROM_ENABLE) !== 0);
    const base = barBase(bar, low, bar.kind === 'memory64' ? this.get32(barOffset(bar) + 4) : 0);
    const limit = bar.kind === 'io' ? 0x1_0000 : bar.kind === 'memory64' ? 2 ** 52 : 2 ** 32;
    const isSizing = base + bar.sizeBytes >= limit;
    return isDecoding && base !== 0 && !isSizing ? base : NO_MAPPING;
  }

  #updateIntx(): void {
    const status = this.get16(CONFIG.STATUS) & ~PCI_STATUS.INTERRUPT;
    this.set(CONFIG.STATUS, 2, status | (this.#isInterrupting ? PCI_STATUS.INTERRUPT : 0));
    const isPinUsed = !this.isMessageSignalled && (this.get16(CONFIG.COMMAND) & PCI_COMMAND.INTX_DISABLE) === 0;
    this.intx.set(this.#isInterrupting && isPinUsed);
  }
}
