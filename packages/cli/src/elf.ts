import { VmmError } from '@vmm/spec';

/** A function or object of a symbol table. */
export interface ElfSymbol { readonly name: string; readonly address: bigint; readonly sizeBytes: number }

interface Section { readonly type: number; readonly address: bigint; readonly offset: number; readonly sizeBytes: number; readonly link: number; readonly entrySize: number }

const SYMTAB = 2, NOBITS = 8, FUNCTION = 2, MACHINE = { 3: 32, 62: 64 } as const;

/** Sections and symbols of an x86 ELF file, 32- or 64-bit. System V ABI, gABI 4.1 */
export class ElfFile {
  readonly bits: 32 | 64;
  readonly #bytes: Uint8Array;
  readonly #data: DataView;
  readonly #sections: readonly Section[];

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    const data = this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const bits = bytes.length > 64 && data.getUint32(0) === 0x7f45_4c46 ? MACHINE[data.getUint16(18, true) as keyof typeof MACHINE] : undefined;
    if (bits === undefined || (bytes[4] === 2) !== (bits === 64)) throw new VmmError('IMAGE_INVALID', `Cannot use ${name}: it is no x86 ELF file`, { hint: 'A vmlinux or a program with its symbols is wanted.' });
    this.bits = bits;
    const wide = bits === 64, table = wide ? Number(data.getBigUint64(40, true)) : data.getUint32(32, true);
    const size = data.getUint16(wide ? 58 : 46, true), count = data.getUint16(wide ? 60 : 48, true);
    this.#sections = Array.from({ length: count }, (_, i) => this.#section(table + i * size));
  }

  #section(at: number): Section {
    const data = this.#data;
    if (this.bits === 32) {
      return { type: data.getUint32(at + 4, true), address: BigInt(data.getUint32(at + 12, true)), offset: data.getUint32(at + 16, true), sizeBytes: data.getUint32(at + 20, true), link: data.getUint32(at + 24, true), entrySize: data.getUint32(at + 36, true) };
    }
    const wide = (offset: number): bigint => data.getBigUint64(at + offset, true);
    return { type: data.getUint32(at + 4, true), address: wide(16), offset: Number(wide(24)), sizeBytes: Number(wide(32)), link: data.getUint32(at + 40, true), entrySize: Number(wide(56)) };
  }

  /** Functions of the symbol table, in its order. */
  functions(): ElfSymbol[] {
    const table = this.#sections.find(({ type }) => type === SYMTAB), strings = this.#sections[table?.link ?? -1];
    if (table === undefined || strings === undefined || table.entrySize === 0) return [];
    const found: ElfSymbol[] = [], data = this.#data, wide = this.bits === 64;
    for (let at = table.offset; at < table.offset + table.sizeBytes; at += table.entrySize) {
      const info = this.#bytes[at + (wide ? 4 : 12)] ?? 0;
      if ((info & 15) !== FUNCTION) continue;
      const address = wide ? data.getBigUint64(at + 8, true) : BigInt(data.getUint32(at + 4, true));
      const sizeBytes = wide ? Number(data.getBigUint64(at + 16, true)) : data.getUint32(at + 8, true);
      if (address !== 0n) found.push({ name: this.#text(strings.offset + data.getUint32(at, true)), address, sizeBytes });
    }
    return found;
  }

  #text(at: number): string {
    const end = this.#bytes.indexOf(0, at);
    return new TextDecoder().decode(this.#bytes.subarray(at, end));
  }

  /** Bytes at an address, up to the end of their section; undefined where no section is. */
  read(address: bigint, lengthBytes: number): Uint8Array | undefined {
    const section = this.#sections.find((one) => one.type !== NOBITS && one.address !== 0n && address >= one.address && address < one.address + BigInt(one.sizeBytes));
    if (section === undefined) return undefined;
    const offset = section.offset + Number(address - section.address), end = section.offset + section.sizeBytes;
    return this.#bytes.subarray(offset, Math.min(end, offset + lengthBytes));
  }
}
