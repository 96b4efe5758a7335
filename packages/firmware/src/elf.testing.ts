import { StructureWriter } from './structure-writer.ts';

export interface SyntheticElf {
  readonly is64Bit: boolean;
  readonly entry: number;
  readonly address: number;
  readonly contents: Uint8Array;
  readonly memoryBytes?: number;
  /** Contents of a PT_NOTE segment. */
  readonly notes?: Uint8Array;
}

/** An executable with one loadable segment and, if wanted, notes. */
export function makeElf({ is64Bit, entry, address, contents, memoryBytes, notes }: SyntheticElf): Uint8Array<ArrayBuffer> {
  const [headerBytes, entryBytes] = is64Bit ? [64, 56] : [52, 32];
  const count = notes === undefined ? 1 : 2;
  const start = headerBytes + entryBytes * count;
  const elf = new StructureWriter().bytes([0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, 1, 1]).padTo(16).u16(2, is64Bit ? 62 : 3).u32(1);
  const word = (...values: number[]): void => { if (is64Bit) elf.u64(...values); else elf.u32(...values); };
  word(entry, headerBytes, 0);
  elf.u32(0).u16(headerBytes, entryBytes, count, 0, 0, 0).at(headerBytes);
  const segment = (type: number, offset: number, gpa: number, length: number, inMemory: number): void => {
    if (is64Bit) elf.u32(type, 5).u64(offset, gpa, gpa, length, inMemory, 1);
    else elf.u32(type, offset, gpa, gpa, length, inMemory, 5, 1);
  };
  segment(1, start, address, contents.length, memoryBytes ?? contents.length);
  if (notes !== undefined) segment(4, start + contents.length, 0, notes.length, notes.length);
  elf.bytes(contents);
  return elf.bytes(notes ?? []).padTo(Math.max(elf.length, 64)).finish();
}
