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
const CODE_ATTRIBUTES = { 32: 0xc09b, 64: 0xa09b } as const, DATA_ATTRIBUTES = 0xc093, TSS_ATTRIBUTES = 0x8b;

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

/** A bare CPU in flat 32- or 64-bit mode at CPL 0 running assembled code until HLT or a triple fault. */
export function runFlat(bits: 32 | 64, source: string, engine: 'interpreter' | 'translator', options: FlatOptions = {}): FlatRun {
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
  guest.writeBytes(CODE, assemble(source, { org: CODE, bits }).bytes);
  for (let i = 0; i < 4096; i += 4) guest.write32(DATA + i, Math.imul(i + 1, 0x9e37_79b1) >>> 0);
  // long mode: identity map of 16 MiB in 2 MiB pages
  guest.write64(TABLES, BigInt(TABLES + 0x1000) | 3n);
  guest.write64(TABLES + 0x1000, BigInt(TABLES + 0x2000) | 3n);
  for (let i = 0; i < 8; i++) guest.write64(TABLES + 0x2000 + 8 * i, BigInt(i * 0x20_0000) | 0x83n);
  options.prepare?.(memory);
  const flat = (selector: number, attributes: number): { selector: number; base: number; limit: number; attributes: number } => ({ selector, base: 0, limit: 0xffff_ffff, attributes });
  const data = flat(16, DATA_ATTRIBUTES);
  vcpu.boot({
    mode: bits === 64 ? 'long' : 'protected', rip: CODE, rsp: STACK, rflags: 2, registers: {},
    segments: { cs: flat(8, CODE_ATTRIBUTES[bits]), ss: data, ds: data, es: data, fs: data, gs: data, tr: { selector: 32, base: 0, limit: 0x67, attributes: TSS_ATTRIBUTES } },
    cr0: bits === 64 ? 0x8000_0011 : 0x11, cr3: bits === 64 ? TABLES : 0, cr4: bits === 64 ? 0x620 : 0x600, efer: bits === 64 ? 0x500 : 0,
    gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
  });
  let result: string;
  for (let slices = 0; ; slices++) {
    result = vcpu.run(5000);
    options.onSlice?.(memory, slices);
    if (result !== 'slice' || slices > 2000) break;
  }
  options.onEnd?.(vcpu, translator);
  return { result, registers: vcpu.registers(), data: guest.readBytes(DATA, 4096), instructions: vcpu.instructions, counters: vcpu.counters() };
}
