/** The processor's state at a kernel's first instruction. Data only: `@vmm/cpu` applies it. */
import { CR0, CR4, EFER } from '@vmm/spec';
import { ADDRESS } from './address-map.ts';
import type { GuestMemory } from './guest-memory.ts';
import { StructureWriter } from './structure-writer.ts';

export interface BootSegment {
  readonly selector: number;
  readonly base: number;
  /** In bytes: granularity applied. */
  readonly limit: number;
  /** Descriptor bits 40 to 55, as in the VMCS access rights. SDM vol 3C §24.4.1, Table 24-2 */
  readonly attributes: number;
}

export type SegmentName = 'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs' | 'ldtr' | 'tr';
export type RegisterName =
  | 'rax' | 'rcx' | 'rdx' | 'rbx' | 'rsp' | 'rbp' | 'rsi' | 'rdi'
  | 'r8' | 'r9' | 'r10' | 'r11' | 'r12' | 'r13' | 'r14' | 'r15';

export interface TableRegister {
  readonly base: number;
  readonly limit: number;
}

/** Registers and segments that are not named are as after reset: 0, unusable. */
export interface BootState {
  readonly mode: 'real' | 'protected' | 'long';
  readonly rip: number;
  readonly rsp: number;
  readonly rflags: number;
  readonly registers: Readonly<Partial<Record<RegisterName, number>>>;
  readonly segments: Readonly<Partial<Record<SegmentName, BootSegment>>>;
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly efer: number;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
}

/** Bit 1 is always set, interrupts are off. SDM vol 1 §3.4.3 */
const RFLAGS_AT_ENTRY = 2;

/** SDM vol 3A §3.4.5: present, ring 0, accessed; code is readable, data writable. */
const ATTRIBUTE = { CODE16: 0x009b, DATA16: 0x0093, CODE32: 0xc09b, DATA32: 0xc093, CODE64: 0xa09b, TSS32_BUSY: 0x008b } as const;

/** Linux's __BOOT_CS and __BOOT_DS, and a TSS for those who ask for one. */
const SELECTOR = { CODE: 0x10, DATA: 0x18, TSS: 0x20 } as const;

interface EntryPoint {
  readonly rip: number;
  readonly rsp?: number;
  readonly registers?: BootState['registers'];
}

/** Real mode with every segment at `segment`, code at `codeSegment`. Interrupt vectors are at 0. */
export function realModeState(entry: EntryPoint & { readonly codeSegment: number; readonly segment: number }): BootState {
  const at = (selector: number, attributes: number): BootSegment => ({ selector, base: selector * 16, limit: 0xffff, attributes });
  const data = at(entry.segment, ATTRIBUTE.DATA16);
  return {
    mode: 'real', rip: entry.rip, rsp: entry.rsp ?? 0, rflags: RFLAGS_AT_ENTRY, registers: entry.registers ?? {},
    segments: { cs: at(entry.codeSegment, ATTRIBUTE.CODE16), ds: data, es: data, ss: data, fs: data, gs: data },
    cr0: CR0.ET, cr3: 0, cr4: 0, efer: 0, gdtr: { base: 0, limit: 0xffff }, idtr: { base: 0, limit: 0x3ff },
  };
}

/** Flat 32-bit protected mode without paging. Writes the descriptor table. */
export function protectedModeState(memory: GuestMemory, entry: EntryPoint): BootState {
  return {
    mode: 'protected', rip: entry.rip, rsp: entry.rsp ?? 0, rflags: RFLAGS_AT_ENTRY, registers: entry.registers ?? {},
    segments: flatSegments(ATTRIBUTE.CODE32),
    cr0: CR0.PE | CR0.ET, cr3: 0, cr4: 0, efer: 0, gdtr: writeGdt(memory, ATTRIBUTE.CODE32), idtr: { base: 0, limit: 0 },
  };
}

/** 64-bit mode, the first 4 GiB mapped one to one. Writes the descriptor table and the page tables. */
export function longModeState(memory: GuestMemory, entry: EntryPoint): BootState {
  return {
    mode: 'long', rip: entry.rip, rsp: entry.rsp ?? 0, rflags: RFLAGS_AT_ENTRY, registers: entry.registers ?? {},
    segments: flatSegments(ATTRIBUTE.CODE64),
    cr0: (CR0.PG | CR0.PE | CR0.ET) >>> 0, cr3: writeIdentityMap(memory), cr4: CR4.PAE, efer: EFER.LME | EFER.LMA,
    gdtr: writeGdt(memory, ATTRIBUTE.CODE64), idtr: { base: 0, limit: 0 },
  };
}

function flatSegments(codeAttributes: number): BootState['segments'] {
  const data: BootSegment = { selector: SELECTOR.DATA, base: 0, limit: 0xffff_ffff, attributes: ATTRIBUTE.DATA32 };
  return {
    cs: { selector: SELECTOR.CODE, base: 0, limit: 0xffff_ffff, attributes: codeAttributes },
    ds: data, es: data, ss: data, fs: data, gs: data,
    tr: { selector: SELECTOR.TSS, base: 0, limit: 0x67, attributes: ATTRIBUTE.TSS32_BUSY },
  };
}

/** SDM vol 3A §3.4.5, Figure 3-8. */
function flatDescriptor(attributes: number): readonly [low: number, high: number] {
  return [0x0000_ffff, (0x000f_0000 | attributes << 8) >>> 0];
}

function writeGdt(memory: GuestMemory, codeAttributes: number): TableRegister {
  const table = new StructureWriter()
    .zeros(SELECTOR.CODE)
    .u32(...flatDescriptor(codeAttributes))
    .u32(...flatDescriptor(ATTRIBUTE.DATA32))
    .u32(0x0000_0067, ATTRIBUTE.TSS32_BUSY << 8)
    .finish();
  memory.write(ADDRESS.BOOT_GDT, table);
  return { base: ADDRESS.BOOT_GDT, limit: table.length - 1 };
}

const PAGE_BYTES = 0x1000;
const LARGE_PAGE_BYTES = 0x20_0000;
const DIRECTORIES = 4;
/** SDM vol 3A §4.5.4: present, writable; and page size. */
const TABLE_ENTRY = 3, LARGE_PAGE_ENTRY = 0x83;

function writeIdentityMap(memory: GuestMemory): number {
  const [pml4, pdpt, directory] = [ADDRESS.PAGE_TABLES, ADDRESS.PAGE_TABLES + PAGE_BYTES, ADDRESS.PAGE_TABLES + 2 * PAGE_BYTES];
  const tables = new StructureWriter().u64(pdpt | TABLE_ENTRY).padTo(PAGE_BYTES);
  for (let index = 0; index < DIRECTORIES; index++) tables.u64((directory + index * PAGE_BYTES) | TABLE_ENTRY);
  tables.padTo(2 * PAGE_BYTES);
  for (let page = 0; page < DIRECTORIES * 512; page++) tables.u64(page * LARGE_PAGE_BYTES + LARGE_PAGE_ENTRY);
  memory.write(pml4, tables.finish());
  return pml4;
}
