import { assemble } from '@vmm/assembler';
import { CPU_MODELS, Vcpu } from '@vmm/cpu';
import type { RegisterDump, TranslationContext } from '@vmm/cpu';
import type { RegionMaking } from './region-job.ts';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { RegionTranslator } from './translator.ts';

export const CODE = 0x10_0000, DATA = 0x20_0000, STACK = 0x30_0000;
const RAM_BYTES = 16 * 2 ** 20;
/** Of long mode: the 2-MiB entry i of the identity map is at PAGE_DIRECTORY + 8 i; addresses below 0x8000 are otherwise unused. */
export const TABLES = 0x1000, PAGE_DIRECTORY = TABLES + 0x2000;
const CODE_ATTRIBUTES = { 16: 0x9b, 32: 0xc09b, 64: 0xa09b } as const, DATA_ATTRIBUTES = 0xc093, TSS_ATTRIBUTES = 0x8b;
/** Where code and data are that real mode is to reach. */
export const LOW = { code: 0x1_0000, data: 0x4_0000 } as const;
/** 64-KiB segments that are not flat: where CODE and DATA are in them. */
export const SEGMENTED = { code: 0x20, data: 0x40, extra: 0x1010 } as const;
const GRANULAR = 0x8000, VM86_ATTRIBUTES = 0xf3, VM86_FLAGS = 0x2_3002, STACK_END = 0xfff0, LIMIT = 0xffff;

export interface FlatRun {
  readonly result: string;
  readonly registers: RegisterDump;
  readonly data: Uint8Array;
  readonly instructions: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface FlatOptions {
  readonly hotThreshold?: number;
  readonly inlineMs?: number;
  readonly maxCodeBytes?: number;
  readonly slowPeriod?: number;
  readonly recipes?: Uint8Array;
  /** Where regions are made. Default: on this thread. */
  readonly making?: (context: TranslationContext) => RegionMaking;
  /** After code and tables are in memory: more of them. */
  readonly prepare?: (memory: MachineMemory) => void;
  /** The guest has written to a port: a device may touch memory. */
  readonly onOut?: (memory: MachineMemory, port: number, value: number) => void;
  /** Between two slices. */
  readonly onSlice?: (memory: MachineMemory, slice: number) => void;
  /** After the last one. */
  readonly onEnd?: (vcpu: Vcpu, translator: RegionTranslator | undefined) => void;
}

interface Segment { readonly selector: number; readonly base: number; readonly limit: number; readonly attributes: number }
/** `org`: where code begins in its segment; `data`: address of the page of data. */
interface Layout { readonly bits: 16 | 32 | 64; readonly org: number; readonly data: number; readonly stack: number; readonly isReal?: boolean; readonly rflags?: number; readonly cs: Segment; readonly ss: Segment; readonly es: Segment }
type Engine = 'interpreter' | 'translator';

const flat = (selector: number, attributes: number): Segment => ({ selector, base: 0, limit: 0xffff_ffff, attributes });
const based = (selector: number, base: number, attributes: number): Segment => ({ selector, base, limit: LIMIT, attributes: attributes & ~GRANULAR });

/** A bare CPU in flat 32- or 64-bit mode at CPL 0 running assembled code until HLT or a triple fault. */
export function runFlat(bits: 32 | 64, source: string, engine: Engine, options: FlatOptions = {}): FlatRun {
  const data = flat(16, DATA_ATTRIBUTES);
  return run({ bits, org: CODE, data: DATA, stack: STACK, cs: flat(8, CODE_ATTRIBUTES[bits]), ss: data, es: data }, source, engine, options);
}
/** The same in 16- or 32-bit protected mode with segments that have a base and a limit, see `SEGMENTED`. */
export function runSegmented(bits: 16 | 32, source: string, engine: Engine, options: FlatOptions = {}): FlatRun {
  const attributes = bits === 16 ? DATA_ATTRIBUTES & ~0x4000 : DATA_ATTRIBUTES;
  return run({
    bits, org: SEGMENTED.code, data: DATA, stack: STACK_END, cs: based(8, CODE - SEGMENTED.code, CODE_ATTRIBUTES[bits]), ss: based(16, DATA - SEGMENTED.data, attributes),
    es: based(40, DATA - SEGMENTED.extra, attributes),
  }, source, engine, options);
}
/** The same in real mode, or in virtual-8086 mode with IOPL 3, whose HLT ends in a triple fault: code and data at `LOW`. */
export function runLow(mode: 'real' | 'virtual-8086', source: string, engine: Engine, options: FlatOptions = {}): FlatRun {
  const isReal = mode === 'real', attributes = isReal ? DATA_ATTRIBUTES & 0xff : VM86_ATTRIBUTES;
  const segment = (address: number, attributes: number): Segment => based(address >> 4, address, attributes);
  return run({
    bits: 16, org: SEGMENTED.code, data: LOW.data, stack: STACK_END, isReal, rflags: isReal ? 2 : VM86_FLAGS,
    cs: segment(LOW.code - SEGMENTED.code, isReal ? CODE_ATTRIBUTES[16] : attributes), ss: segment(LOW.data - SEGMENTED.data, attributes), es: segment(LOW.data - SEGMENTED.extra, attributes),
  }, source, engine, options);
}

function run({ bits, org, data, stack, isReal = false, rflags = 2, cs, ss, es }: Layout, source: string, engine: Engine, options: FlatOptions): FlatRun {
  const memory = new MachineMemory({ ramBytes: RAM_BYTES });
  let translator: RegionTranslator | undefined;
  const vcpu = new Vcpu({
    memory, model: CPU_MODELS['x86-64-v3'], createMmu: (context) => new EptMmu(context),
    ports: { read: () => 0xff, write: (port, _size, value) => { options.onOut?.(memory, port, value); } },
    interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
    clock: { tscHz: 1e9, readTsc: () => 0n },
    ...(engine === 'translator' ? { createTranslator: (context) => (translator = new RegionTranslator(context, { hotThreshold: options.hotThreshold ?? 2, batchSize: 1, batchDelayMs: 0, inlineMs: options.inlineMs ?? 0.05, ...(options.maxCodeBytes === undefined ? {} : { maxCodeBytes: options.maxCodeBytes, trialMs: 20 }), slowPeriod: options.slowPeriod ?? 7, recipes: options.recipes, ...(options.making === undefined ? {} : { making: options.making(context) }) })) } : {}),
  });
  const { guest } = memory;
  guest.writeBytes(cs.base + org, assemble(source, { org, bits }).bytes);
  for (let i = 0; i < 4096; i += 4) guest.write32(data + i, Math.imul(i + 1, 0x9e37_79b1) >>> 0);
  // long mode: identity map of 16 MiB in 2 MiB pages
  guest.write64(TABLES, BigInt(TABLES + 0x1000) | 3n);
  guest.write64(TABLES + 0x1000, BigInt(TABLES + 0x2000) | 3n);
  for (let i = 0; i < 8; i++) guest.write64(TABLES + 0x2000 + 8 * i, BigInt(i * 0x20_0000) | 0x83n);
  options.prepare?.(memory);
  vcpu.boot({
    mode: isReal ? 'real' : bits === 64 ? 'long' : 'protected', rip: org, rsp: stack, rflags, registers: {},
    segments: { cs, ss, ds: ss, es, fs: es, gs: es, tr: { selector: 32, base: 0, limit: 0x67, attributes: TSS_ATTRIBUTES } },
    cr0: bits === 64 ? 0x8000_0011 : isReal ? 0x10 : 0x11, cr3: bits === 64 ? TABLES : 0, cr4: bits === 64 ? 0x620 : 0x600, efer: bits === 64 ? 0x500 : 0,
    gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
  });
  let result: string;
  for (let slices = 0; ; slices++) {
    result = vcpu.run(5000);
    options.onSlice?.(memory, slices);
    if (result !== 'slice' || slices > 2000) break;
  }
  options.onEnd?.(vcpu, translator);
  return { result, registers: vcpu.registers(), data: guest.readBytes(data, 4096), instructions: vcpu.instructions, counters: vcpu.counters() };
}
