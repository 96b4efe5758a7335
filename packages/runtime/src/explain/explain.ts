import { CPU_MODELS, Vcpu } from '@vmm/cpu';
import type { TranslationContext, Translator } from '@vmm/cpu';
import { FPU_CALLOUTS } from '@vmm/fpu';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { VmmError } from '@vmm/spec';
import { STATE, STATE_FIELDS, TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';
import { CLASSES, RegionTranslator } from '@vmm/translator';
import type { InstructionClass } from '@vmm/translator';
import { disassemble } from '@vmm/wasm';
import type { DisassembledFunction } from '@vmm/wasm';
import { listBlocks } from './listing.ts';
import type { ListedBlock } from './listing.ts';

export interface ExplainOptions {
  readonly bytes: Uint8Array;
  /** Linear address of the first byte. */
  readonly address: bigint;
  /** Where to begin. Default: the first byte. */
  readonly entry?: bigint;
  readonly bits: 32 | 64;
  /** Ring of the code. Default 0. */
  readonly ring?: 0 | 3;
}

export interface Explanation {
  readonly blocks: readonly ListedBlock[];
  /** Instructions by class. */
  readonly classes: Readonly<Record<InstructionClass, number>>;
  /** The translated region; undefined when the code at the entry is left to the interpreter. */
  readonly region: DisassembledFunction | undefined;
  /** Its module, binary. */
  readonly module: Uint8Array | undefined;
}

const CODE = 0x10_0000, TABLES = 0x1000, PAGE = 4096, RAM_BYTES = 8 * 2 ** 20;
const EXECUTE = 2;

/** Translates code that has not run, as if all of it had been hot. */
export function explain(options: ExplainOptions): Explanation {
  const { bytes, address, entry = address, bits } = options;
  const blocks = listBlocks(bytes, address, bits, entry);
  const classes = Object.fromEntries(CLASSES.map((name) => [name, blocks.flatMap(({ instructions }) => instructions).filter(({ kind }) => kind === name).length])) as Record<InstructionClass, number>;
  const module = translate(options);
  if (module === undefined) return { blocks, classes, region: undefined, module };
  const { functions } = disassemble(module, { remark: remarkOf });
  const [region] = functions.toSorted((a, b) => b.lines.length - a.lines.length);
  return { blocks, classes, region, module };
}

function translate({ bytes, address, entry = address, bits, ring = 0 }: ExplainOptions): Uint8Array | undefined {
  const memory = new MachineMemory({ ramBytes: RAM_BYTES });
  const modules: Uint8Array[] = [];
  let translator: Translator | undefined;
  const vcpu = new Vcpu({
    memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context), callouts: FPU_CALLOUTS,
    ports: { read: () => 0xff, write: () => undefined }, interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
    clock: { tscHz: 1e9, readTsc: () => 0n },
    createTranslator: (context) => (translator = new RegionTranslator(asIfHot(context), { hotThreshold: 0x3fff_ffff, batchSize: 1, batchDelayMs: 0, onModule: (module) => { modules.push(module); } })),
  });
  if (bytes.length > RAM_BYTES - CODE - PAGE) throw new VmmError('OPTION_INVALID', `Cannot explain ${bytes.length} bytes at once`, { hint: 'Choose one function.' });
  memory.guest.writeBytes(CODE + Number(address & 0xfffn), bytes);
  const pages = Math.ceil((Number(address & 0xfffn) + bytes.length) / PAGE);
  if (bits === 64) mapLong(memory, address, pages);
  else mapLegacy(memory, address, pages);
  const dpl = ring << 5;
  const flat = (selector: number, attributes: number): { selector: number; base: number; limit: number; attributes: number } => ({ selector: selector | ring, base: 0, limit: 0xffff_ffff, attributes: attributes | dpl });
  const data = flat(16, 0xc093);
  vcpu.boot({
    mode: bits === 64 ? 'long' : 'protected', rip: 0, rsp: 0x8000, rflags: 2, registers: {},
    segments: { cs: flat(8, bits === 64 ? 0xa09b : 0xc09b), ss: data, ds: data, es: data, fs: data, gs: data, tr: { selector: 32, base: 0, limit: 0x67, attributes: 0x8b } },
    cr0: 0x8000_0011, cr3: TABLES, cr4: bits === 64 ? 0x620 : 0x600, efer: bits === 64 ? 0x500 : 0, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
  });
  vcpu.state.setBig('rip', entry);
  const host = vcpu.mmu.access(Number(entry & 0xffff_ffffn) | 0, Number(entry >> 32n) | 0, 1, EXECUTE);
  if (host === 0) throw new VmmError('OPTION_INVALID', `Cannot explain code at 0x${entry.toString(16)}`, { hint: 'The entry must lie in the bytes given.' });
  translator?.request(host);
  translator?.poll();
  return modules.at(-1);
}

/** The translator's surroundings, with everything said to have run. */
function asIfHot(context: TranslationContext): TranslationContext {
  return { ...context, tryFetch: (lo, hi) => context.tryFetch(lo, hi), blocks: instead(context.blocks, { executions: () => Infinity }) };
}

/** An object with some methods replaced; its private fields stay its own. */
function instead<T extends object>(object: T, methods: Readonly<Record<string, unknown>>): T {
  return new Proxy(object, {
    get: (target, name) => {
      const replaced = typeof name === 'string' ? methods[name] : undefined;
      if (replaced !== undefined) return replaced;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

function mapLong(memory: MachineMemory, address: bigint, pages: number): void {
  let free = TABLES + PAGE;
  const { guest } = memory;
  for (let i = 0; i < pages; i++) {
    const linear = address + BigInt(i * PAGE);
    let table = TABLES;
    for (const shift of [39n, 30n, 21n]) {
      const at = table + Number(linear >> shift & 511n) * 8;
      if (guest.read64(at) === 0n) {
        guest.write64(at, BigInt(free) | 7n);
        free += PAGE;
      }
      table = Number(guest.read64(at)) & -PAGE;
    }
    guest.write64(table + Number(linear >> 12n & 511n) * 8, BigInt(CODE + i * PAGE) | 7n);
  }
}

function mapLegacy(memory: MachineMemory, address: bigint, pages: number): void {
  let free = TABLES + PAGE;
  const { guest } = memory;
  for (let i = 0; i < pages; i++) {
    const linear = Number(address) + i * PAGE;
    const at = TABLES + (linear >>> 22) * 4;
    if (guest.read32(at) === 0) {
      guest.write32(at, free | 7);
      free += PAGE;
    }
    guest.write32((guest.read32(at) & -PAGE) + (linear >>> 12 & 1023) * 4, CODE + i * PAGE | 7);
  }
}

const SIZES = { i64: 8, i32: 4, f80: 16, v256: 32 } as const;
const GENERAL = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

/** What of the vCPU's private area lies at a constant offset. */
function remarkOf(offset: number): string | undefined {
  for (const [name, tag] of Object.entries(TLB_ENTRY)) if (offset === VCPU_LAYOUT.tlb + tag) return `TLB ${name}`;
  const at = offset - VCPU_LAYOUT.state;
  for (const [name, { kind, count }] of Object.entries(STATE_FIELDS) as [keyof typeof STATE, { kind: keyof typeof SIZES; count: number }][]) {
    const index = Math.floor((at - STATE[name]) / SIZES[kind]);
    if (at < STATE[name] || index >= count) continue;
    return name === 'gpr' ? GENERAL[index] : count === 1 ? name : `${name}[${index}]`;
  }
  return undefined;
}
