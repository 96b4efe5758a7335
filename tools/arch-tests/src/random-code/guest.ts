/**
 * A guest that means harm: random bytes and random instructions in every mode and ring, with interrupts and NMIs, tables that are partly garbage, and handlers that
 * step over what faulted. Nothing it does may throw, hang or break an invariant.
 */
import { CPU_MODELS, Vcpu } from '@vmm/cpu';
import type { BootSegment, BootState } from '@vmm/cpu';
import { Instruction, rows } from '@vmm/decoder';
import { FPU_CALLOUTS } from '@vmm/fpu';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { RegionTranslator } from '@vmm/translator';
import { Random } from '../random.ts';
import { encodeRow } from '../user-mode/encode-row.ts';

const RAM_BYTES = 4 << 20;
/** Guest-physical, mapped one to one. */
const AT = { idt: 0x1000, gdt: 0x2000, ldt: 0x2800, tss: 0x3000, handlers: 0x4000, code: 0x8000, tables: 0x10_0000, wild: 0x20_0000, stack: 0x7f00, inner: 0xf000 } as const;
const CODE_BYTES = 0x800, VECTORS = 64, HANDLER_BYTES = 16;
const P = 1, RW = 2, US = 4, LARGE = 0x80, USER = P | RW | US;
/** Steps over one byte of what faulted (past the error code where there is one) and returns. */
const HANDLERS = {
  16: { plain: [0x89, 0xe5, 0xff, 0x46, 0x00, 0xcf], error: [0x89, 0xe5, 0xff, 0x46, 0x00, 0xcf] },
  32: { plain: [0xff, 0x04, 0x24, 0xcf], error: [0x59, 0xff, 0x04, 0x24, 0xcf] },
  64: { plain: [0x48, 0xff, 0x04, 0x24, 0x48, 0xcf], error: [0x59, 0x48, 0xff, 0x04, 0x24, 0x48, 0xcf] },
} as const;
const HAS_ERROR = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
const CR0 = { PE: 1, NE: 0x20, WP: 0x1_0000, AM: 0x4_0000, PG: 0x8000_0000, TS: 8, EM: 4, MP: 2 }, EFER = { SCE: 1, LME: 0x100, NXE: 0x800 };
const CR4 = { VME: 1, PVI: 2, DE: 8, PSE: 0x10, PAE: 0x20, PGE: 0x80, OSFXSR: 0x200, OSXMM: 0x400, UMIP: 0x800, LA57: 0x1000, FSGSBASE: 0x1_0000, PCIDE: 0x2_0000, OSXSAVE: 0x4_0000, SMEP: 0x10_0000, SMAP: 0x20_0000, PKE: 0x40_0000, PKS: 0x100_0000 };
const FLAGS = { fixed: 2, TF: 0x100, IF: 0x200, IOPL: 0x3000, VM: 0x2_0000, AC: 0x4_0000 };

export const MODES = ['real', 'protected-0', 'protected-3', 'paging-0', 'paging-3', 'pae-3', 'protected16', 'vm86', 'long-0', 'long-3', 'compatibility-3', 'la57-0'] as const;
export type Mode = (typeof MODES)[number];

export interface RandomGuestOptions {
  readonly seed: number;
  /** Translated code takes part. Default false. */
  readonly translated?: boolean;
}

export interface RandomGuestReport { readonly programs: number; readonly instructions: number; readonly exceptions: number; readonly shutdowns: number; readonly regions: number; readonly slowestRunMs: number }

type Limited = { -readonly [field in keyof BootSegment]: BootSegment[field] };

/** CPU time of this thread: a busy machine must not look like a hang. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export class RandomGuest {
  readonly #random: Random;
  readonly #memory = new MachineMemory({ ramBytes: RAM_BYTES });
  readonly #vcpu: Vcpu;
  readonly #inst = new Instruction();
  #isPending = false;
  #programs = 0;
  #shutdowns = 0;
  #slowestRunMs = 0;

  constructor({ seed, translated = false }: RandomGuestOptions) {
    const random = this.#random = new Random(seed);
    this.#vcpu = new Vcpu({
      memory: this.#memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context), callouts: FPU_CALLOUTS,
      clock: { readTsc: () => random.next64(), tscHz: 1e9 }, ports: { read: () => random.next(), write: () => undefined },
      interrupts: { pending: () => this.#isPending, takeNmi: () => random.below(300) === 0, acknowledge: () => { this.#isPending = false; return 0x20 + random.below(16); } },
      ...(translated ? { createTranslator: (context) => new RegionTranslator(context, { hotThreshold: 40, batchSize: 4, batchDelayMs: 0, slowPeriod: 7 }) } : {}),
    });
  }

  get report(): RandomGuestReport {
    const counters = this.#vcpu.counters();
    return { programs: this.#programs, instructions: this.#vcpu.instructions, exceptions: counters['exceptions'] ?? 0, shutdowns: this.#shutdowns, regions: counters['regions'] ?? 0, slowestRunMs: this.#slowestRunMs };
  }

  /** One program, started several times with other registers, so that its code becomes hot. */
  runProgram(instructions: number): void {
    const mode = MODES[this.#programs++ % MODES.length] ?? 'real', starts = 1 + this.#random.below(4);
    this.#fillMemory(mode);
    for (let start = 0; start < starts; start++) {
      this.#vcpu.reset();
      this.#vcpu.boot(this.#bootState(mode));
      if (this.#random.below(3) === 0) this.#vcpu.state.setWords('xcr0', 7, 0);
      for (let slice = 0; slice < 8; slice++) {
        this.#isPending = this.#random.below(3) === 0;
        this.#vcpu.requestAttention();
        const began = threadMs(), result = this.#vcpu.run(Math.ceil(instructions / starts / 8));
        this.#slowestRunMs = Math.max(this.#slowestRunMs, threadMs() - began);
        if (result === 'shutdown') this.#shutdowns++;
        if (result !== 'slice' && result !== 'halt' && result !== 'shutdown') throw new Error(`run answered "${result}"`);
        if (result === 'shutdown' || result === 'halt' && !this.#isPending && this.#random.below(2) === 0) break;
      }
    }
    this.#memory.setA20(this.#random.below(20) !== 0);
  }

  #chance(oneIn: number): boolean { return this.#random.below(oneIn) === 0; }
  #bits(of: Readonly<Record<string, number>>, names: string): number { return names.split(' ').reduce((value, name) => (this.#chance(2) ? value | (of[name] ?? 0) : value), 0); }

  #fillMemory(mode: Mode): void {
    const { guest } = this.#memory, bytes = new Uint8Array(0x1_0000);
    this.#random.fill(bytes);
    // the stack, the inner stack and the TSS begin empty
    bytes.fill(0, AT.tss, AT.code - 0x400);
    guest.writeBytes(AT.idt, bytes.subarray(AT.idt));
    guest.writeBytes(AT.wild, bytes.subarray(0, 0x2000));
    this.#code(mode);
    this.#descriptorTables(mode);
    this.#interruptTable(mode);
    this.#pageTables(mode);
  }

  #codeSize(mode: Mode): 16 | 32 | 64 {
    if (mode === 'real' || mode === 'protected16' || mode === 'vm86') return 16;
    return mode === 'long-0' || mode === 'long-3' || mode === 'la57-0' ? 64 : 32;
  }

  #code(mode: Mode): void {
    const code = new Uint8Array(CODE_BYTES), size = this.#codeSize(mode);
    this.#random.fill(code);
    let at = 0;
    while (!this.#chance(60) && at < CODE_BYTES - 32) {
      const row = this.#random.pick(rows), one = this.#chance(5) ? undefined : encodeRow(row, size, this.#random, this.#inst);
      if (one !== undefined) code.set(one, at);
      at += one?.length ?? 1 + this.#random.below(3);
    }
    // back to the start, so that the code is run more than once
    if (!this.#chance(4) && at < 0x7e00) code.set(size === 16 ? [0xe9, -(at + 3) & 0xff, -(at + 3) >> 8 & 0xff] : [0xe9, ...[0, 8, 16, 24].map((shift) => -(at + 5) >> shift & 0xff)], at);
    this.#memory.guest.writeBytes(AT.code, code);
  }

  #descriptor(at: number, access: number, flags: number, base = 0, limit = 0xf_ffff): void {
    const { guest } = this.#memory;
    guest.write32(at, limit & 0xffff | base << 16);
    guest.write32(at + 4, base >>> 16 & 0xff | access << 8 | limit & 0xf_0000 | flags << 20 | base & 0xff00_0000);
  }

  /** Good descriptors at the selectors in use, garbage in some of the others. */
  #descriptorTables(mode: Mode): void {
    const isLong = this.#codeSize(mode) === 64 || mode === 'compatibility-3', { guest } = this.#memory;
    if (this.#chance(2)) for (let at = AT.gdt; at < AT.gdt + 0x400; at += 8) this.#descriptor(at, [0x9b, 0x93, 0xfb, 0xf3, 0x9f, 0x89, 0xe5, 0xec, 0x8c, 0x82][this.#random.below(10)] ?? 0, this.#random.below(16), this.#chance(2) ? 0 : this.#random.below(RAM_BYTES));
    const kernelCode = isLong ? 0xa : this.#codeSize(mode) === 16 && mode !== 'vm86' ? 0 : 0xc;
    const limited = kernelCode !== 0xa && this.#chance(4);
    this.#descriptor(AT.gdt + 0x08, 0x9b, limited ? kernelCode & ~8 : kernelCode, 0, limited ? this.#codeLimit() : undefined);
    this.#descriptor(AT.gdt + 0x10, 0x93, 0xc);
    this.#descriptor(AT.gdt + 0x18, 0xfb, mode === 'long-3' ? 0xa : 0xc);
    this.#descriptor(AT.gdt + 0x20, 0xf3, 0xc);
    this.#descriptor(AT.gdt + 0x28, 0x89, 0, AT.tss, 0x2ff);
    guest.write32(AT.gdt + 0x30, 0);
    guest.write32(AT.gdt + 0x34, 0);
    for (const offset of isLong ? [4, 12, 20, 0x24, 0x2c] : [4]) guest.write32(AT.tss + offset, AT.inner);
    if (!isLong) guest.write32(AT.tss + 8, 0x10);
    guest.write16(AT.tss + 0x66, this.#chance(2) ? 0x68 : 0x400);
  }

  /** Somewhere in the code. */
  #codeLimit(): number { return AT.code + this.#random.below(CODE_BYTES); }

  #interruptTable(mode: Mode): void {
    const { guest } = this.#memory, isLong = this.#codeSize(mode) === 64 || mode === 'compatibility-3', size = mode === 'real' ? 16 : isLong ? 64 : mode === 'protected16' ? 16 : 32;
    for (let vector = 0; vector < VECTORS; vector++) {
      const handler = AT.handlers + HANDLER_BYTES * vector, kind = HANDLERS[size], isGarbage = this.#chance(200);
      guest.writeBytes(handler, Uint8Array.from(mode !== 'real' && HAS_ERROR.has(vector) ? kind.error : kind.plain));
      if (isGarbage) continue;
      const access = this.#chance(30) ? 0x85 : (vector === 3 || this.#chance(4) ? 0xe0 : 0x80) | (size === 16 && mode !== 'real' ? 6 : 0xe) | this.#random.below(2);
      if (mode === 'real') guest.write32(4 * vector, handler);
      else if (isLong) {
        guest.write32(AT.idt + 16 * vector, handler | 0x08 << 16);
        guest.write32(AT.idt + 16 * vector + 4, access << 8 | (this.#chance(4) ? this.#random.below(8) : 0));
        guest.write32(AT.idt + 16 * vector + 8, 0);
      } else {
        guest.write32(AT.idt + 8 * vector, handler | 0x08 << 16);
        guest.write32(AT.idt + 8 * vector + 4, access << 8);
      }
    }
  }

  /** One to one for 4 MiB in each format, with a few pages that are absent, read-only, the supervisor's or not to be executed. */
  #pageTables(mode: Mode): void {
    const { guest } = this.#memory, t = AT.tables, wide = mode !== 'paging-0' && mode !== 'paging-3';
    const link = (page: number): number => t + page * 0x1000 | USER;
    // 0: PML5, 1: PML4, 2: PDPT, 3: PD, 4 and 5: PTs
    for (let page = 0; page < 6; page++) for (let at = 0; at < 0x1000; at += 4) guest.write32(t + page * 0x1000 + at, this.#chance(400) ? this.#random.next() & ~P : 0);
    guest.write32(t, link(1));
    guest.write32(t + 0x1000, link(2));
    guest.write32(t + 0x2000, wide && mode === 'pae-3' ? t + 0x3000 | P : link(3));
    guest.write32(t + 0x3000, link(4));
    guest.write32(t + 0x3000 + (wide ? 8 : 4), wide ? link(5) : LARGE | USER);
    const bytes = wide ? 8 : 4;
    for (let page = 0; page < RAM_BYTES >> 12; page++) {
      const special = page > 0x10 && (page < 0x100 || page >= 0x110) && this.#chance(12);
      guest.write32(t + 0x4000 + page * bytes, page << 12 | (special ? this.#random.pick([0, P, P | US, P | RW, USER | 0x18]) : USER | (this.#chance(2) ? 0x60 : 0)));
      if (wide) guest.write32(t + 0x4000 + page * bytes + 4, special && this.#chance(4) ? 0x8000_0000 | 0 : mode === 'pae-3' ? 0 : this.#random.below(4) << 27);
    }
    guest.write32(t + 0x5000 + 8 * 511, 0xfee0_0000 | USER);
  }

  #bootState(mode: Mode): BootState {
    const random = this.#random, user = mode.endsWith('-3') || mode === 'vm86', isLong = this.#codeSize(mode) === 64 || mode === 'compatibility-3', dpl = user ? 0x60 : 0;
    const registers: Record<string, number> = {};
    for (const name of ['rax', 'rbx', 'rcx', 'rdx', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15']) {
      registers[name] = this.#chance(2) ? AT.wild + random.below(0x2000) : this.#chance(2) ? random.below(0x1_0000) : random.next();
    }
    const flat = (selector: number, attributes: number): Limited => ({ selector, base: 0, limit: -1, attributes });
    const real = (): BootSegment => ({ selector: 0, base: 0, limit: 0xffff, attributes: mode === 'vm86' ? 0xf3 : 0x93 });
    const data = flat(user ? 0x23 : 0x10, 0xc093 | dpl), code = flat(user ? 0x1b : 0x08, (this.#codeSize(mode) === 64 ? 0xa09b : mode === 'protected16' ? 0x009b : 0xc09b) | dpl);
    if (this.#codeSize(mode) !== 64 && this.#chance(4)) code.limit = this.#codeLimit();
    const segments = mode === 'real' || mode === 'vm86' ? { cs: real(), ss: real(), ds: real(), es: real(), fs: real(), gs: real() } : { cs: code, ss: data, ds: data, es: data };
    const paging = mode.startsWith('paging') || mode === 'pae-3' || isLong || mode === 'vm86' && this.#chance(2);
    const cr4 = this.#bits(CR4, 'VME PVI DE PSE PGE OSFXSR OSXMM UMIP FSGSBASE OSXSAVE') | (isLong ? this.#bits(CR4, 'PCIDE PKE PKS') : 0) | (isLong || mode === 'pae-3' ? CR4.PAE : 0) | (mode === 'la57-0' ? CR4.LA57 : 0);
    // PSE is needed for what vm86 and plain paging map above 4 MiB; the tables for vm86 are those of 32-bit paging only if they are that
    const usePaging = paging && mode !== 'vm86';
    return {
      mode: mode === 'real' ? 'real' : isLong ? 'long' : 'protected', rip: AT.code, rsp: AT.stack, registers,
      rflags: FLAGS.fixed | (mode === 'vm86' ? FLAGS.VM : 0) | this.#bits(FLAGS, 'IF IOPL') | (this.#chance(16) ? FLAGS.TF : 0) | (this.#chance(8) ? FLAGS.AC : 0),
      segments: { ...segments, ...(mode === 'real' ? {} : { tr: { selector: 0x28, base: AT.tss, limit: 0x2ff, attributes: 0x8b }, ldtr: { selector: 0x30, base: AT.ldt, limit: 0x3ff, attributes: 0x82 } }) },
      cr0: mode === 'real' ? 0 : CR0.PE | this.#bits(CR0, 'NE WP AM MP') | (this.#chance(12) ? CR0.TS : 0) | (this.#chance(30) ? CR0.EM : 0) | (usePaging ? CR0.PG : 0),
      cr3: this.#root(mode), cr4, efer: isLong ? EFER.LME | this.#bits(EFER, 'SCE NXE') : 0,
      gdtr: { base: AT.gdt, limit: 0x3ff }, idtr: mode === 'real' ? { base: 0, limit: 0x3ff } : { base: AT.idt, limit: 0xfff },
    };
  }

  #root(mode: Mode): number {
    if (mode === 'la57-0') return AT.tables;
    if (mode === 'pae-3') return AT.tables + 0x2000;
    return AT.tables + (mode.startsWith('paging') ? 0x3000 : 0x1000);
  }
}
