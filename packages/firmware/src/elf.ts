/** ELF executables, as far as loaders need them. System V ABI, chapter 4 (object files) and 5 (program loading) */
import { VmmError } from '@vmm/spec';

export interface ElfSegment {
  readonly type: number;
  readonly physicalAddress: number;
  readonly memoryBytes: number;
  readonly bytes: Uint8Array;
}

export interface Elf {
  readonly is64Bit: boolean;
  readonly machine: number;
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
}

export const SEGMENT_TYPE = { LOAD: 1, NOTE: 4 } as const;
export const ELF_MACHINE = { I386: 3, X86_64: 62 } as const;

const ELF_MAGIC = 0x464c_457f;
const CLASS_OFFSET = 4, CLASS_64 = 2;

/** Offsets in the file header, then in a program header. */
interface ElfLayout {
  readonly entry: number; readonly programHeaders: number; readonly headerSize: number; readonly headerCount: number;
  readonly fileOffset: number; readonly physicalAddress: number; readonly fileBytes: number; readonly memoryBytes: number;
}
const LAYOUT_32: ElfLayout = { entry: 24, programHeaders: 28, headerSize: 42, headerCount: 44, fileOffset: 4, physicalAddress: 12, fileBytes: 16, memoryBytes: 20 };
const LAYOUT_64: ElfLayout = { entry: 24, programHeaders: 32, headerSize: 54, headerCount: 56, fileOffset: 8, physicalAddress: 24, fileBytes: 32, memoryBytes: 40 };
const MACHINE_OFFSET = 18;

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 64 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === ELF_MAGIC;
}

export function parseElf(bytes: Uint8Array): Elf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const is64Bit = bytes[CLASS_OFFSET] === CLASS_64;
  const layout = is64Bit ? LAYOUT_64 : LAYOUT_32;
  const word = (at: number): number => (is64Bit ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const start = word(layout.programHeaders);
  const size = view.getUint16(layout.headerSize, true);
  const count = view.getUint16(layout.headerCount, true);
  if (start + size * count > bytes.length) throw truncated(bytes.length, start + size * count);
  const segments = Array.from({ length: count }, (_, index): ElfSegment => {
    const at = start + size * index;
    const offset = word(at + layout.fileOffset);
    const length = word(at + layout.fileBytes);
    const type = view.getUint32(at, true);
    if ((type === SEGMENT_TYPE.LOAD || type === SEGMENT_TYPE.NOTE) && offset + length > bytes.length) throw truncated(bytes.length, offset + length);
    return { type, physicalAddress: word(at + layout.physicalAddress), memoryBytes: word(at + layout.memoryBytes), bytes: bytes.subarray(offset, offset + length) };
  });
  return { is64Bit, machine: view.getUint16(MACHINE_OFFSET, true), entry: word(layout.entry), segments };
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly description: Uint8Array;
}

/** All notes of all PT_NOTE segments; a damaged tail is ignored. */
export function elfNotes(elf: Elf): ElfNote[] {
  return elf.segments.filter((segment) => segment.type === SEGMENT_TYPE.NOTE).flatMap((segment) => parseNotes(segment.bytes));
}

function parseNotes(bytes: Uint8Array): ElfNote[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + 12 <= bytes.length) {
    const nameBytes = view.getUint32(at, true);
    const descriptionBytes = view.getUint32(at + 4, true);
    const nameStart = at + 12;
    const descriptionStart = nameStart + align4(nameBytes);
    if (descriptionStart + descriptionBytes > bytes.length) break;
    const name = String.fromCharCode(...bytes.subarray(nameStart, nameStart + Math.max(0, nameBytes - 1)));
    notes.push({ name, type: view.getUint32(at + 8, true), description: bytes.subarray(descriptionStart, descriptionStart + descriptionBytes) });
    at = descriptionStart + align4(descriptionBytes);
  }
  return notes;
}

function align4(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function truncated(actual: number, expected: number): VmmError {
  return new VmmError('KERNEL_TRUNCATED', `Cannot load the kernel: it has ${actual} bytes, its headers promise ${expected}`, { hint: 'The file is cut short: copy or download it again.' });
}
