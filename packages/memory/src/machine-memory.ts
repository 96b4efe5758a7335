import { VmmError } from '@vmm/spec';
import { VCPU_LAYOUT } from '@vmm/state';
import { PAGE } from './attributes.ts';
import { layOutMachine, mebibytes, PAGE_BYTES } from './geometry.ts';
import type { MachineGeometry, MachineLayout } from './geometry.ts';
import { GuestMemory } from './guest-memory.ts';
import { MmioMap, NO_DEVICES } from './mmio.ts';
import type { MmioHandler } from './mmio.ts';

export interface MachineMemoryOptions {
  /** Guest RAM from guest-physical 0 up, a multiple of 4096. */
  readonly ramBytes: number;
  /** Default 1. */
  readonly vcpus?: number;
  /** Room for ROMs outside RAM (firmware below 4 GiB), a multiple of 4096. Default 0. */
  readonly romBytes?: number;
  /** Answers every access that is neither RAM nor ROM. Default: reads all ones, drops writes. */
  readonly mmio?: MmioHandler;
}

/** A ROM outside RAM: guest pages `firstPage`.. shown from host address `host` on. */
export interface RomSlot { readonly firstPage: number; readonly pages: number; readonly host: number }

/** Everything another worker needs to see the same machine memory; can be posted. */
export interface MachineMemoryDescriptor extends MachineGeometry {
  readonly memory: WebAssembly.Memory;
  readonly roms: readonly RomSlot[];
  readonly a20: boolean;
}

/**
 * The one shared WebAssembly.Memory of a machine, and the guest-physical map over it: RAM, ROM, holes, MMIO.
 * A host address is a byte offset into it; 0 is never valid. The map (ROM slots, A20, MMIO regions) is per instance: tell every worker; page attributes
 * are shared. The memory never grows, so views stay valid.
 */
export class MachineMemory {
  readonly memory: WebAssembly.Memory;
  readonly buffer: SharedArrayBuffer;
  readonly layout: MachineLayout;
  readonly ramBase: number;
  readonly ramBytes: number;
  readonly ramPages: number;
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u16: Uint16Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly u64: BigUint64Array<SharedArrayBuffer>;
  readonly data: DataView<SharedArrayBuffer>;
  /** `PAGE` bits by RAM page, then by ROM page: index `host - ramBase >>> 12`. */
  readonly attributes: Uint8Array<SharedArrayBuffer>;
  /** Guest-physical reads and writes for loaders, DMA and debuggers. */
  readonly guest: GuestMemory;
  readonly mmio: MmioMap;
  /** All ones, or all but bit 20 while the A20 gate is closed. */
  a20Mask = -1;

  #roms: RomSlot[];
  #romUsedBytes = 0;
  readonly #mapListeners = new Set<() => void>();
  readonly #storeListeners = new Set<(host: number, sizeBytes: number) => void>();

  constructor({ ramBytes, vcpus = 1, romBytes = 0, mmio = NO_DEVICES }: MachineMemoryOptions, attached?: MachineMemoryDescriptor) {
    this.layout = layOutMachine({ ramBytes, vcpus, romBytes });
    this.memory = attached?.memory ?? allocate(this.layout.totalBytes);
    this.buffer = this.memory.buffer as unknown as SharedArrayBuffer;
    this.ramBase = this.layout.ramBase;
    this.ramBytes = ramBytes;
    this.ramPages = ramBytes / PAGE_BYTES;
    this.u8 = new Uint8Array(this.buffer);
    this.u16 = new Uint16Array(this.buffer);
    this.i32 = new Int32Array(this.buffer);
    this.u32 = new Uint32Array(this.buffer);
    this.u64 = new BigUint64Array(this.buffer);
    this.data = new DataView(this.buffer);
    this.attributes = this.u8.subarray(this.layout.attributesBase, this.layout.attributesBase + (ramBytes + romBytes) / PAGE_BYTES);
    this.mmio = new MmioMap(mmio);
    this.#roms = [...(attached?.roms ?? [])];
    for (const slot of this.#roms) this.#romUsedBytes += slot.pages * PAGE_BYTES;
    if (attached?.a20 === false) this.a20Mask = ~(1 << 20);
    this.guest = new GuestMemory(this);
  }

  /** The same machine memory seen from another worker. */
  static attach(descriptor: MachineMemoryDescriptor, options: { readonly mmio?: MmioHandler } = {}): MachineMemory {
    const { ramBytes, vcpus, romBytes, memory } = descriptor;
    if (memory.buffer.byteLength < layOutMachine({ ramBytes, vcpus, romBytes }).totalBytes) {
      throw new VmmError('MEMORY_INVALID', `Cannot attach to machine memory of ${memory.buffer.byteLength} bytes`, {
        hint: `It is too small for ${mebibytes(ramBytes)} MiB of RAM and ${vcpus} vCPUs: post the descriptor of the machine that made it.`,
      });
    }
    return new MachineMemory({ ramBytes, vcpus, romBytes, ...options }, descriptor);
  }

  descriptor(): MachineMemoryDescriptor {
    const { ramBytes, vcpus, romBytes } = this.layout;
    return { ramBytes, vcpus, romBytes, memory: this.memory, roms: [...this.#roms], a20: this.a20Mask === -1 };
  }

  /** Start of one vCPU's private area (state block, TLB, records: see `VCPU_LAYOUT`). */
  vcpuBase(vcpu: number): number {
    return vcpu * VCPU_LAYOUT.sizeBytes;
  }

  /** Host address of a guest-physical address (two words) that is RAM or ROM, else 0. Applies the A20 gate. @hot */
  translate(lo: number, hi: number): number {
    const address = (lo & this.a20Mask) >>> 0;
    const page = address >>> 12;
    if (hi === 0 && page < this.ramPages) return (this.attributes[page]! & PAGE.HOLE) === 0 ? this.ramBase + address : 0;
    return hi === 0 ? this.#romAddress(page, address & 0xfff) : 0;
  }

  /** Host address of a guest page, or -1 for MMIO and holes. */
  hostAddress(gpaPage: number): number {
    if (gpaPage >= 0x10_0000) return -1;
    return this.translate(gpaPage << 12, 0) || -1;
  }

  /** Attribute bits of the RAM or ROM page at a host address. @hot */
  attributesAt(host: number): number {
    return this.attributes[(host - this.ramBase) >>> 12]!;
  }

  setAttribute(host: number, bits: number): void {
    Atomics.or(this.attributes, (host - this.ramBase) >>> 12, bits);
  }

  clearAttribute(host: number, bits: number): void {
    Atomics.and(this.attributes, (host - this.ramBase) >>> 12, ~bits & 0xff);
  }

  get a20(): boolean {
    return this.a20Mask === -1;
  }

  /** Opens or closes the A20 gate; a change drops every translation. */
  setA20(open: boolean): void {
    const mask = open ? -1 : ~(1 << 20);
    if (mask === this.a20Mask) return;
    this.a20Mask = mask;
    this.#mapChanged();
  }

  /** Shows `contents` read-only at `gpa` (page aligned). Inside RAM it is copied there and the pages are write-protected. */
  mapRom(gpa: number, contents: Uint8Array): void {
    const pages = Math.ceil(contents.length / PAGE_BYTES);
    if (gpa + pages * PAGE_BYTES <= this.ramBytes) {
      this.u8.set(contents, this.ramBase + gpa);
      this.protectRom(gpa, pages * PAGE_BYTES, true);
      return;
    }
    const host = this.layout.romBase + this.#romUsedBytes;
    if (gpa < this.ramBytes || gpa % PAGE_BYTES !== 0 || this.#romUsedBytes + pages * PAGE_BYTES > this.layout.romBytes) {
      throw new VmmError('MEMORY_INVALID', `Cannot map a ROM of ${contents.length} bytes at 0x${gpa.toString(16)}`, {
        hint: `It must be page aligned, wholly inside or outside RAM, and fit the ${this.layout.romBytes} bytes kept for ROMs (romBytes).`,
      });
    }
    this.#romUsedBytes += pages * PAGE_BYTES;
    this.u8.set(contents, host);
    for (let page = 0; page < pages; page++) this.setAttribute(host + page * PAGE_BYTES, PAGE.ROM);
    this.#roms.push({ firstPage: gpa / PAGE_BYTES, pages, host });
    this.#mapChanged();
  }

  /** Write-protects RAM pages or makes them writable again (a chipset's shadow-RAM registers). */
  protectRom(gpa: number, sizeBytes: number, readOnly: boolean): void {
    this.#markRam(gpa, sizeBytes, PAGE.ROM, readOnly);
  }

  /** Cuts a hole into RAM so that accesses reach the MMIO bus, or fills it again. */
  protectHole(gpa: number, sizeBytes: number, hole: boolean): void {
    this.#markRam(gpa, sizeBytes, PAGE.HOLE, hole);
  }

  /** Gives a range a handler of its own, ahead of the bus; inside RAM it also cuts the hole. */
  mapMmio(gpa: number, sizeBytes: number, handler: MmioHandler): void {
    this.mmio.add(gpa, sizeBytes, handler);
    if (gpa < this.ramBytes) this.protectHole(gpa, Math.min(sizeBytes, this.ramBytes - gpa), true);
    else this.#mapChanged();
  }

  /** Arms the dirty log: from now on a page's first store sets `PAGE.DIRTY`. */
  watchStores(): void {
    for (let page = 0; page < this.ramPages; page++) this.#rearm(page);
    this.#mapChanged();
  }

  /** Calls back with every page stored to since `watchStores`, and arms those again. */
  takeDirty(visit: (gpaPage: number) => void): void {
    for (let page = 0; page < this.ramPages; page++) {
      if ((this.attributes[page]! & PAGE.DIRTY) === 0) continue;
      visit(page);
      this.#rearm(page);
    }
    this.#mapChanged();
  }

  #rearm(page: number): void {
    Atomics.and(this.attributes, page, ~PAGE.DIRTY & 0xff);
    Atomics.or(this.attributes, page, PAGE.WATCHED);
  }

  /** The map or an attribute changed: MMUs drop what they cached. Returns the function that unsubscribes. */
  onMapChange(listener: () => void): () => void {
    this.#mapListeners.add(listener);
    return () => this.#mapListeners.delete(listener);
  }

  /** A store that no MMU saw (DMA, a loader, a debugger) is about to hit a CODE or TRACED page; the range lies in one page. */
  onExternalStore(listener: (host: number, sizeBytes: number) => void): () => void {
    this.#storeListeners.add(listener);
    return () => this.#storeListeners.delete(listener);
  }

  /** To be called by whoever stores to RAM past the MMUs, before the store. The host range may span pages. */
  noteStore(host: number, sizeBytes: number): void {
    for (let at = host; at < host + sizeBytes; at = (at - at % PAGE_BYTES) + PAGE_BYTES) {
      const bits = this.attributesAt(at);
      if ((bits & PAGE.WATCHED) !== 0) this.markDirty(at);
      if ((bits & (PAGE.CODE | PAGE.TRACED)) === 0) continue;
      const length = Math.min(host + sizeBytes - at, PAGE_BYTES - at % PAGE_BYTES);
      for (const listener of this.#storeListeners) listener(at, length);
    }
  }

  markDirty(host: number): void {
    this.setAttribute(host, PAGE.DIRTY);
    this.clearAttribute(host, PAGE.WATCHED);
  }

  #markRam(gpa: number, sizeBytes: number, bit: number, on: boolean): void {
    if (gpa % PAGE_BYTES !== 0 || sizeBytes % PAGE_BYTES !== 0 || gpa < 0 || gpa + sizeBytes > this.ramBytes) {
      throw new VmmError('MEMORY_INVALID', `Cannot change the kind of ${sizeBytes} bytes at 0x${gpa.toString(16)}`, {
        hint: 'The range must be whole pages inside RAM.',
      });
    }
    for (let at = gpa; at < gpa + sizeBytes; at += PAGE_BYTES) {
      if (on) this.setAttribute(this.ramBase + at, bit);
      else this.clearAttribute(this.ramBase + at, bit);
    }
    this.#mapChanged();
  }

  #romAddress(page: number, offset: number): number {
    for (const slot of this.#roms) {
      if (page >= slot.firstPage && page < slot.firstPage + slot.pages) return slot.host + (page - slot.firstPage) * PAGE_BYTES + offset;
    }
    return 0;
  }

  #mapChanged(): void {
    for (const listener of this.#mapListeners) listener();
  }
}

function allocate(totalBytes: number): WebAssembly.Memory {
  const pages = totalBytes / 0x1_0000;
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    throw new VmmError('MEMORY_INVALID', `Cannot allocate ${mebibytes(totalBytes)} MiB of machine memory`, {
      hint: 'Give the guest less RAM; in a page, check that it is cross-origin isolated.', cause,
    });
  }
}
