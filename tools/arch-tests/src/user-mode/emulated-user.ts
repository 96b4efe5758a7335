/** Our virtual CPU as the other side: the same code at the same linear addresses, CPL 3, no kernel. */
import { CPU_MODELS, MODE, readFlags, Vcpu, writeFlags } from '@vmm/cpu';
import type { BootSegment } from '@vmm/cpu';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { STATE, STATE_SIZE_BYTES } from '@vmm/state';
import { RegionTranslator } from '@vmm/translator';
import { hashOf } from './batch.ts';
import type { Batch } from './batch.ts';
import { CASE, CODE_AT, CODE_BYTES, DATA_AT, FS_BASE, GS_BASE, LDT, PAGE, SELECTORS, WINDOW_BYTES, WINDOW_OFFSET } from './batch-layout.ts';
import type { CodeMode } from './batch-layout.ts';

/** Guest-physical homes. Data pages lie apart, so that an access across their border is really two. */
const TABLES = 0x1000, TSS = 0x9000, GDT = 0x9800, LDT_GPA = 0x9c00, IDT = 0xa000, STUBS = 0xb000, KERNEL_STACK = 0xd000, DATA_GPA = [0x1_0000, 0x1_4000, 0x1_8000] as const, CODE_GPA = 0x20_0000, RAM_BYTES = 0x40_0000;
/** The kernel's linear addresses, where no case reaches: the first 2 MiB of memory. */
const KERNEL = 0x7fff_0000_0000;
const PRESENT = 1, WRITABLE = 2, USER = 4, LARGE = 0x80, NO_EXECUTE_HIGH = 0x8000_0000;
/** Handlers are this far apart; each is one HLT. */
const STUB_BYTES = 16, VECTORS_USED = 32, HLT = 0xf4, KERNEL_CS = 0x10, INTERRUPT_GATE = 0x8e00, DPL3 = 0x6000, WITH_ERROR = 0x0002_7d00;
const CR0 = 0x8005_0033, CR4 = 0x5_0620, EFER = 0xd01;
/** Instructions that one case may execute. */
const BUDGET = 20_000;
/** Exit reason of the interpreter for a fault; the others mean that the case did not end. */
const EXIT_FAULT = 2;

interface Descriptor { readonly base: number; readonly limit: number; readonly access: number; readonly flags: number }
const TF = 0x100, RSP = 4;
const FLAT = 0xf_ffff, UNUSABLE = 1 << 16;
const GDT_ENTRIES: Readonly<Record<number, Descriptor>> = {
  2: { base: 0, limit: FLAT, access: 0x9b, flags: 0xa }, 4: { base: 0, limit: FLAT, access: 0xfb, flags: 0xc }, 5: { base: 0, limit: FLAT, access: 0xf3, flags: 0xc }, 6: { base: 0, limit: FLAT, access: 0xfb, flags: 0xa },
  // Linux keeps the CPU's number as the limit of a segment that user mode may load
  15: { base: 0, limit: 0, access: 0xf5, flags: 4 },
};
const ldtDescriptor = (index: number): Descriptor => {
  const { base, limit, flags } = LDT[index] ?? LDT[0];
  return { base, limit, access: 0xf1 | (flags & 8 ? 0 : 2) | (flags >> 1 & 3) << 2, flags: (flags & 1 ? 4 : 0) | (flags & 16 ? 8 : 0) };
};
function descriptorOf(selector: number): Descriptor | undefined { return selector & 4 ? ldtDescriptor(selector >> 3) : GDT_ENTRIES[selector >> 3]; }

function bootSegment(selector: number): BootSegment {
  const d = descriptorOf(selector);
  if (d === undefined) return { selector, base: 0, limit: 0, attributes: UNUSABLE };
  return { selector, base: d.base, limit: d.flags & 8 ? d.limit * PAGE + 0xfff | 0 : d.limit, attributes: d.access | d.flags << 12 };
}

/** Everything is translated as soon as it has run. */
const TRANSLATE_ALL = { hotThreshold: 1, batchSize: 1, maxDeathsPerPage: 1e9, slowPeriod: 5 };
const VERSIONS = ['mapVersion', 'jumpVersion'] as const;
/** Runs before the one that counts, so that it finds its blocks translated. */
const WARM_UPS = 2;

export interface EmulatedUserOptions {
  /** Stores to code are allowed. Default false. */
  readonly writableCode?: boolean;
  /** Run translated code, not the interpreter. Default false. */
  readonly translated?: boolean;
  /** Go through the run loop: exceptions, traps and software interrupts reach a handler at CPL 0, and what it finds on its stack is the outcome. Default false. */
  readonly delivered?: boolean;
}

/** Returning to user mode, the host's kernel (IRET) makes every null selector 0. */
const nullAsZero = (selector: number): number => (selector < 4 ? 0 : selector);

export class EmulatedUser {
  readonly mode: CodeMode;
  readonly #memory = new MachineMemory({ ramBytes: RAM_BYTES });
  readonly #vcpu: Vcpu;
  readonly #pages: readonly Uint8Array[];
  readonly #state: Uint8Array;
  readonly #warmUps: number;
  readonly #delivered: boolean;
  #initial = new Uint8Array(0);

  constructor(mode: CodeMode, options: EmulatedUserOptions = {}) {
    this.mode = mode;
    this.#delivered = options.delivered ?? false;
    this.#warmUps = options.translated ? WARM_UPS : 0;
    this.#tables(options.writableCode ?? false);
    this.#vcpu = new Vcpu({
      memory: this.#memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context),
      ports: { read: () => 0, write: () => undefined },
      interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
      clock: { tscHz: 1e9, readTsc: () => 0n },
      ...(options.translated ? { createTranslator: (context) => new RegionTranslator(context, TRANSLATE_ALL) } : {}),
    });
    const { state } = this.#vcpu;
    this.#pages = DATA_GPA.map((gpa) => this.#memory.guest.view(gpa, PAGE));
    this.#state = state.u8.subarray(state.base, state.base + STATE_SIZE_BYTES);
    this.#boot();
  }

  #tables(writableCode: boolean): void {
    const { guest } = this.#memory, table = new DataView(new ArrayBuffer(0x7000));
    const entry = (page: number, index: number, low: number, high = 0): void => {
      table.setUint32(page * PAGE + index * 8, low, true);
      table.setUint32(page * PAGE + index * 8 + 4, high, true);
    };
    const next = (page: number): number => TABLES + page * PAGE | PRESENT | WRITABLE | USER;
    // 0: PML4, 1: PDPT, 2: PD, 3: PT of the data, 4: PT of the code; 5: PDPT and 6: PD of the kernel
    entry(0, 0, next(1));
    entry(1, 0, next(2));
    entry(0, 255, next(5));
    entry(5, 508, next(6));
    entry(6, 0, PRESENT | WRITABLE | LARGE);
    for (let at = 0; at < CODE_BYTES; at += PAGE) entry(4, at / PAGE, CODE_GPA + (at ^ PAGE) | PRESENT | USER | (writableCode ? WRITABLE : 0));
    entry(2, CODE_AT >> 21, next(4));
    entry(2, DATA_AT >> 21, next(3));
    DATA_GPA.forEach((gpa, i) => { entry(3, (DATA_AT >> 12 & 511) + i, gpa | PRESENT | USER | (i < 2 ? WRITABLE : 0), NO_EXECUTE_HIGH); });
    guest.writeBytes(TABLES, new Uint8Array(table.buffer));
    const put = (at: number, { base, limit, access, flags }: Descriptor): void => {
      guest.write32(at, limit & 0xffff | base << 16);
      guest.write32(at + 4, base >>> 16 & 0xff | access << 8 | limit & 0xf_0000 | flags << 20 | base & 0xff00_0000);
    };
    // no I/O permission bitmap
    guest.write16(TSS + 0x66, 0x68);
    for (const [index, d] of Object.entries(GDT_ENTRIES)) put(GDT + 8 * Number(index), d);
    for (let vector = 0; vector < VECTORS_USED; vector++) {
      guest.write8(STUBS + vector * STUB_BYTES, HLT);
      this.#gate(IDT + 16 * vector, KERNEL + STUBS + vector * STUB_BYTES, vector === 3 || vector === 4);
    }
    guest.write32(TSS + 4, KERNEL_STACK);
    guest.write32(TSS + 8, KERNEL / 2 ** 32);
    if (this.mode !== 64) LDT.forEach((_, i) => { put(LDT_GPA + 8 * i, ldtDescriptor(i)); });
  }

  #gate(at: number, handler: number, isForUsers: boolean): void {
    const { guest } = this.#memory, low = handler % 2 ** 32;
    guest.write32(at, low & 0xffff | KERNEL_CS << 16);
    guest.write32(at + 4, low & 0xffff_0000 | INTERRUPT_GATE | (isForUsers ? DPL3 : 0));
    guest.write32(at + 8, handler / 2 ** 32);
  }

  #boot(): void {
    const names = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const, selectors = SELECTORS[this.mode];
    const segments = Object.fromEntries(names.map((name, i) => [name, bootSegment(selectors[i] ?? 0)]));
    if (this.mode === 64) {
      segments['fs'] = { selector: 0, base: FS_BASE, limit: 0, attributes: UNUSABLE };
      segments['gs'] = { selector: 0, base: GS_BASE, limit: 0, attributes: UNUSABLE };
    }
    this.#vcpu.boot({
      mode: 'long', rip: CODE_AT, rsp: 0, rflags: 0x202, registers: {}, cr0: CR0, cr3: TABLES, cr4: CR4, efer: EFER,
      segments: {
        ...segments, tr: { selector: 0x40, base: KERNEL + TSS, limit: 0x67, attributes: 0x8b },
        ldtr: this.mode === 64 ? { selector: 0, base: 0, limit: 0, attributes: UNUSABLE } : { selector: 0x50, base: KERNEL + LDT_GPA, limit: 8 * LDT.length - 1, attributes: 0x82 },
      },
      gdtr: { base: KERNEL + GDT, limit: 127 }, idtr: { base: KERNEL + IDT, limit: 16 * VECTORS_USED - 1 },
    });
    this.#vcpu.state.set('faultVector', -1);
    this.#initial = Uint8Array.from(this.#state);
  }

  /** Takes over a batch's code and data. */
  begin(batch: Batch): void {
    // neighbouring pages are swapped, so that code across a border is really in two places
    for (let at = 0; at < CODE_BYTES; at += PAGE) this.#memory.guest.writeBytes(CODE_GPA + (at ^ PAGE), batch.code.subarray(at, at + PAGE));
    this.#pages.forEach((page, i) => { page.set(batch.pristine.subarray(i * PAGE, (i + 1) * PAGE)); });
    this.#vcpu.blocks.flush();
  }

  /** Runs one case in place; false: it did not come to an end. */
  run(batch: Batch, index: number): boolean {
    for (let i = 0; i < this.#warmUps; i++) {
      if (!this.#execute(batch, index)) return false;
      this.#cleanUp(batch);
    }
    const ended = this.#execute(batch, index);
    this.#save(batch, index);
    return ended;
  }
  /** What the translator did. */
  get counters(): Readonly<Record<string, number>> { return this.#vcpu.counters(); }

  #execute(batch: Batch, index: number): boolean {
    const { state } = this.#vcpu, at = batch.at(index);
    // what the engine remembers of code is of later versions than the image: they must not run backwards
    const versions = VERSIONS.map((field) => this.#vcpu.state.get(field));
    this.#state.set(this.#initial);
    VERSIONS.forEach((field, i) => { this.#vcpu.state.set(field, versions[i] ?? 0); });
    this.#state.set(batch.bytes.subarray(at + CASE.gpr, at + CASE.gpr + 128), STATE.gpr);
    state.setBig('rip', batch.u64(index, 'rip'));
    writeFlags(state, batch.u32(index, 'flags'));
    this.#vcpu.mmu.contextChanged();
    this.#window(batch.window(index), true);
    if (this.#delivered) return this.#deliver();
    state.set('budget', BUDGET);
    for (;;) {
      if (this.#vcpu.handlers.run() !== EXIT_FAULT) return false;
      this.#vcpu.locateFault();
      // without a fault on record translated code wants the instruction retried by the interpreter
      if (state.get('faultVector') !== -1) return true;
    }
  }

  /** Runs until a handler halts, and turns what was pushed into the state of the interrupted code. */
  #deliver(): boolean {
    const { state } = this.#vcpu, { guest } = this.#memory;
    if ((state.get('eflags') & TF) !== 0) state.set('modeKey', state.get('modeKey') | MODE.SINGLE_STEP);
    state.set('halted', 0);
    if (this.#vcpu.run(BUDGET) !== 'halt') return false;
    const vector = Math.floor((state.number('rip') - KERNEL - STUBS) / STUB_BYTES);
    let frame = state.number('gpr', RSP) - KERNEL;
    state.set('faultVector', vector);
    state.set('faultError', 0);
    if ((WITH_ERROR >> vector & 1) !== 0) {
      state.set('faultError', guest.read32(frame));
      frame += 8;
    }
    state.setBig('rip', guest.read64(frame));
    state.set('selector', guest.read16(frame + 8), 1);
    writeFlags(state, guest.read32(frame + 16));
    state.setBig('gpr', guest.read64(frame + 24), RSP);
    state.set('selector', guest.read16(frame + 32), 2);
    state.setBig('faultAddress', state.big('cr2'));
    return true;
  }

  #save(batch: Batch, index: number): void {
    const { state } = this.#vcpu, at = batch.at(index);
    batch.bytes.set(this.#state.subarray(STATE.gpr, STATE.gpr + 128), at + CASE.gpr);
    batch.setU64(index, 'rip', state.big('rip'));
    batch.setU32(index, 'flags', readFlags(state));
    batch.setU32(index, 'vector', state.get('faultVector'));
    batch.setU32(index, 'error', state.get('faultError'));
    batch.setU64(index, 'address', state.big('faultAddress'));
    for (let i = 0; i < 6; i++) batch.setSegment(index, i, nullAsZero(state.get('selector', i)));
    this.#window(batch.window(index), false);
    batch.setU32(index, 'hash', this.#cleanUp(batch));
  }

  /** Restores the data; the hash of what stood outside the window, 0 if nothing had changed there. */
  #cleanUp(batch: Batch): number {
    this.#window(batch.pristine.subarray(WINDOW_OFFSET, WINDOW_OFFSET + WINDOW_BYTES), true);
    return this.#strayHash(batch.pristine);
  }

  /** The window between the two writable pages and a case. */
  #window(bytes: Uint8Array, into: boolean): void {
    const half = WINDOW_BYTES / 2, [first, second] = this.#pages as readonly [Uint8Array, Uint8Array];
    if (into) {
      first.set(bytes.subarray(0, half), WINDOW_OFFSET);
      second.set(bytes.subarray(half));
    } else {
      bytes.set(first.subarray(WINDOW_OFFSET));
      bytes.set(second.subarray(0, half), half);
    }
  }
  #strayHash(pristine: Uint8Array): number {
    const isClean = this.#pages.every((page, i) => Buffer.compare(page, pristine.subarray(i * PAGE, (i + 1) * PAGE)) === 0);
    if (isClean) return 0;
    const words = new Uint32Array(2 * PAGE / 4), bytes = new Uint8Array(words.buffer);
    this.#pages.slice(0, 2).forEach((page, i) => { bytes.set(page, i * PAGE); });
    this.#pages.forEach((page, i) => { page.set(pristine.subarray(i * PAGE, (i + 1) * PAGE)); });
    return hashOf(words);
  }
}

