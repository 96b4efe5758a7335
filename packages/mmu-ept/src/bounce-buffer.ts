import { PAGE } from '@vmm/memory';
import type { MachineMemory } from '@vmm/memory';

/** The largest access. */
const BOUNCE_BYTES = 64;

/** What the MMU must hear about before bytes change. */
export interface StoreHooks {
  /** The range lies in one page that holds decoded code. */
  readonly onCodeWrite: (host: number, sizeBytes: number) => void;
  readonly onTracedWrite: (host: number, sizeBytes: number) => void;
}

/**
 * Where an access that is not one piece of RAM is put together: at most two pieces, each memory (host address) or a device (guest-physical address).
 * Reads are gathered at once; writes wait for `commit`. @hot
 */
export class BounceBuffer {
  readonly address: number;
  readonly #memory: MachineMemory;
  readonly #hooks: StoreHooks;
  readonly #host = new Float64Array(2);
  readonly #gpa = new Float64Array(2);
  readonly #length = new Int32Array(2);
  #pieces = 0;

  constructor(memory: MachineMemory, address: number, hooks: StoreHooks) {
    this.#memory = memory;
    this.address = address;
    this.#hooks = hooks;
  }

  begin(): void {
    this.#pieces = 0;
  }

  /** `host` 0: the piece belongs to a device. */
  add(host: number, gpa: number, length: number): void {
    const piece = this.#pieces++;
    this.#host[piece] = host;
    this.#gpa[piece] = gpa;
    this.#length[piece] = length;
  }

  /** What a fetch from a device finds: all ones, which is no instruction. Devices never see fetches. */
  floatHigh(): number {
    this.#pieces = 0;
    this.#memory.u8.fill(0xff, this.address, this.address + BOUNCE_BYTES);
    return this.address;
  }

  /** Reads all pieces into the buffer. */
  gather(): void {
    let at = this.address;
    for (let piece = 0; piece < this.#pieces; piece++) {
      const length = this.#length[piece]!;
      const host = this.#host[piece]!;
      if (host === 0) this.#readDevice(this.#gpa[piece]!, length, at);
      else this.#memory.u8.copyWithin(at, host, host + length);
      at += length;
    }
  }

  /** Writes the buffer to all pieces. */
  commit(): void {
    let at = this.address;
    for (let piece = 0; piece < this.#pieces; piece++) {
      const length = this.#length[piece]!;
      const host = this.#host[piece]!;
      if (host === 0) this.#writeDevice(this.#gpa[piece]!, length, at);
      else if (this.prepareStore(host, length)) this.#memory.u8.copyWithin(host, at, at + length);
      at += length;
    }
    this.#pieces = 0;
  }

  /** Runs the hooks a store within one page calls for. False: the store must be dropped (ROM). */
  prepareStore(host: number, length: number): boolean {
    const attributes = this.#memory.attributesAt(host);
    if ((attributes & PAGE.ROM) !== 0) return false;
    if ((attributes & PAGE.WATCHED) !== 0) this.#memory.markDirty(host);
    if ((attributes & PAGE.CODE) !== 0) this.#hooks.onCodeWrite(host, length);
    if ((attributes & PAGE.TRACED) !== 0) this.#hooks.onTracedWrite(host, length);
    return true;
  }

  #readDevice(gpa: number, length: number, at: number): void {
    const { data, mmio } = this.#memory;
    for (let done = 0; done < length;) {
      const left = length - done;
      if (left >= 4) data.setUint32(at + done, mmio.read(gpa + done, 4), true);
      else if (left >= 2) data.setUint16(at + done, mmio.read(gpa + done, 2), true);
      else data.setUint8(at + done, mmio.read(gpa + done, 1));
      done += left >= 4 ? 4 : left >= 2 ? 2 : 1;
    }
  }

  #writeDevice(gpa: number, length: number, at: number): void {
    const { data, mmio } = this.#memory;
    for (let done = 0; done < length;) {
      const left = length - done;
      if (left >= 4) mmio.write(gpa + done, 4, data.getUint32(at + done, true));
      else if (left >= 2) mmio.write(gpa + done, 2, data.getUint16(at + done, true));
      else mmio.write(gpa + done, 1, data.getUint8(at + done));
      done += left >= 4 ? 4 : left >= 2 ? 2 : 1;
    }
  }
}
