/** Multiboot 1 kernels. Multiboot Specification 0.6.96 */
import { VmmError } from '@vmm/spec';
import { ADDRESS } from './address-map.ts';
import { type BootState, protectedModeState } from './boot-state.ts';
import { type E820Entry, e820Map, highMemoryEnd } from './e820.ts';
import { isElf, parseElf } from './elf.ts';
import type { GuestMemory } from './guest-memory.ts';
import { placeAt, placeModule, placeSegments } from './placement.ts';
import { StructureWriter } from './structure-writer.ts';

/** §3.1.1: the magic fields. */
const HEADER_MAGIC = 0x1bad_b002;
const LOADER_MAGIC = 0x2bad_b002;
const SEARCH_BYTES = 8192;
/** §3.1.1, flags: bits 0 to 15 are demands a loader must know. */
const HEADER_FLAG = { PAGE_ALIGN: 1 << 0, MEMORY_INFO: 1 << 1, VIDEO: 1 << 2, ADDRESSES: 1 << 16 } as const;
const KNOWN_DEMANDS = HEADER_FLAG.PAGE_ALIGN | HEADER_FLAG.MEMORY_INFO | HEADER_FLAG.VIDEO;
/** §3.3: what is valid in the information we give. */
const INFO_FLAG = { MEMORY: 1 << 0, COMMAND_LINE: 1 << 2, MODULES: 1 << 3, MEMORY_MAP: 1 << 6, LOADER_NAME: 1 << 9 } as const;
const INFO_BYTES = 116;
const LOADER_NAME = 'vmm';

export interface MultibootModule {
  readonly bytes: Uint8Array;
  readonly commandLine?: string;
}

export interface MultibootImage {
  readonly kernel: Uint8Array;
  readonly commandLine?: string;
  readonly modules?: readonly MultibootModule[];
  /** Default: `e820Map` of the memory's size. */
  readonly e820?: readonly E820Entry[];
}

interface MultibootHeader {
  readonly offset: number;
  readonly flags: number;
}

export function findMultibootHeader(bytes: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset + 12 <= Math.min(bytes.length, SEARCH_BYTES); offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if (((HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) >>> 0) === 0) return { offset, flags };
  }
  return undefined;
}

/** Puts the kernel, its modules and the information structure in place. §3.2: machine state */
export function loadMultiboot1(memory: GuestMemory, image: MultibootImage): BootState {
  const header = findMultibootHeader(image.kernel);
  if (header === undefined) throw new VmmError('KERNEL_INVALID', 'Cannot load the kernel: no multiboot header in its first 8 KiB', { hint: 'Is it a multiboot 1 image? Multiboot 2 has another header.' });
  const unknown = header.flags & 0xffff & ~KNOWN_DEMANDS;
  if (unknown !== 0) throw new VmmError('KERNEL_UNSUPPORTED', `Cannot load the kernel: it demands multiboot features 0x${unknown.toString(16)}`, { hint: 'Multiboot 1 defines bits 0, 1 and 2.' });
  const e820 = image.e820 ?? e820Map(memory.sizeBytes);
  const { entry, end } = (header.flags & HEADER_FLAG.ADDRESSES) !== 0
    ? placeByHeader(memory, e820, image.kernel, header.offset)
    : placeElf(memory, e820, image.kernel);
  let free = end;
  const modules = (image.modules ?? []).map((module) => {
    const placed = placeModule(memory, e820, free, module.bytes);
    free = placed.base + placed.length;
    return { ...placed, commandLine: module.commandLine ?? '' };
  });
  const information = makeInformation(e820, image.commandLine ?? '', modules);
  memory.write(ADDRESS.COMMAND_LINE, information);
  return protectedModeState(memory, { rip: entry, registers: { rax: LOADER_MAGIC, rbx: ADDRESS.COMMAND_LINE } });
}

/** §3.1.2: address fields of the header, for kernels in no format the loader knows. */
function placeByHeader(memory: GuestMemory, e820: readonly E820Entry[], kernel: Uint8Array, offset: number): { entry: number; end: number } {
  const view = new DataView(kernel.buffer, kernel.byteOffset + offset, 32);
  const [headerAt, loadAt, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((at) => view.getUint32(at, true)) as [number, number, number, number, number];
  const fileStart = offset - (headerAt - loadAt);
  const fileEnd = loadEnd === 0 ? kernel.length : fileStart + (loadEnd - loadAt);
  if (fileStart < 0 || fileEnd > kernel.length) {
    throw new VmmError('KERNEL_TRUNCATED', `Cannot load the kernel: it has ${kernel.length} bytes, its header wants ${fileStart} to ${fileEnd}`, { hint: 'The file is cut short, or its addresses are wrong.' });
  }
  const bytes = kernel.subarray(fileStart, fileEnd);
  return { entry, end: placeAt(memory, e820, loadAt, bytes, Math.max(bytes.length, bssEnd === 0 ? 0 : bssEnd - loadAt)) };
}

function placeElf(memory: GuestMemory, e820: readonly E820Entry[], kernel: Uint8Array): { entry: number; end: number } {
  if (!isElf(kernel)) throw new VmmError('KERNEL_INVALID', 'Cannot load the kernel: a multiboot header without addresses, in a file that is not ELF', { hint: 'Set bit 16 of the header\'s flags and give addresses.' });
  const elf = parseElf(kernel);
  return { entry: elf.entry, end: placeSegments(memory, e820, elf.segments) };
}

/** §3.3: the information structure, with what it points to behind it, all at ADDRESS.COMMAND_LINE. */
function makeInformation(e820: readonly E820Entry[], commandLine: string, modules: readonly { base: number; length: number; commandLine: string }[]): Uint8Array {
  const base = ADDRESS.COMMAND_LINE;
  const info = new StructureWriter().zeros(INFO_BYTES);
  const string = (text: string): number => {
    const at = base + info.length;
    info.bytes(new TextEncoder().encode(`${text}\0`));
    return at;
  };
  const commandLineAt = string(commandLine);
  const loaderNameAt = string(LOADER_NAME);
  const moduleLines = modules.map((module) => string(module.commandLine));
  info.padTo(Math.ceil(info.length / 4) * 4);
  const modulesAt = base + info.length;
  modules.forEach((module, index) => info.u32(module.base, module.base + module.length, moduleLines[index] ?? 0, 0));
  const mapAt = base + info.length;
  for (const entry of e820) info.u32(20).u64(entry.base, entry.length).u32(entry.type);
  const mapBytes = base + info.length - mapAt;
  const flags = INFO_FLAG.MEMORY | INFO_FLAG.COMMAND_LINE | INFO_FLAG.MODULES | INFO_FLAG.MEMORY_MAP | INFO_FLAG.LOADER_NAME;
  return info
    .patch32(0, flags)
    .patch32(4, ADDRESS.EBDA / 1024)
    .patch32(8, Math.floor((highMemoryEnd(e820) - ADDRESS.HIGH_MEMORY) / 1024))
    .patch32(16, commandLineAt)
    .patch32(20, modules.length).patch32(24, modulesAt)
    .patch32(44, mapBytes).patch32(48, mapAt)
    .patch32(64, loaderNameAt)
    .finish();
}
