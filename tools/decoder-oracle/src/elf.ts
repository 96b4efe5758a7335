import { readFileSync } from 'node:fs';

export interface CodeSection {
  readonly name: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

export interface Executable {
  readonly mode: 32 | 64;
  readonly sections: readonly CodeSection[];
}

const SHT_PROGBITS = 1;
const SHF_EXECINSTR = 4n;

/** The executable sections of an ELF file (x86, little endian). */
export function readElf(path: string): Executable {
  const file = readFileSync(path);
  if (file.readUInt32BE(0) !== 0x7f454c46) throw new Error(`${path} is not an ELF file; give an executable or shared library`);
  const is64 = file[4] === 2;
  const word = (at: number): bigint => (is64 ? file.readBigUInt64LE(at) : BigInt(file.readUInt32LE(at)));
  const width = is64 ? 8 : 4;
  const table = Number(word(is64 ? 0x28 : 0x20));
  const entrySize = file.readUInt16LE(is64 ? 0x3a : 0x2e);
  const count = file.readUInt16LE(is64 ? 0x3c : 0x30);
  const nameIndex = file.readUInt16LE(is64 ? 0x3e : 0x32);
  const header = (i: number): { name: number; type: number; flags: bigint; address: bigint; offset: number; size: number } => {
    const at = table + i * entrySize;
    return {
      name: file.readUInt32LE(at), type: file.readUInt32LE(at + 4), flags: word(at + 8), address: word(at + 8 + width),
      offset: Number(word(at + 8 + 2 * width)), size: Number(word(at + 8 + 3 * width)),
    };
  };
  const names = header(nameIndex).offset;
  const sections: CodeSection[] = [];
  for (let i = 0; i < count; i++) {
    const h = header(i);
    if (h.type !== SHT_PROGBITS || (h.flags & SHF_EXECINSTR) === 0n) continue;
    const name = file.toString('latin1', names + h.name, file.indexOf(0, names + h.name));
    sections.push({ name, address: h.address, bytes: file.subarray(h.offset, h.offset + h.size) });
  }
  return { mode: is64 ? 64 : 32, sections };
}
