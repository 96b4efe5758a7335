import { readFile } from 'node:fs/promises';
import { VmmError } from '@vmm/spec';
import { firstLine } from './config-file.ts';
import { ElfFile } from './elf.ts';

const TEXT_LINE = /^([0-9a-f]{8,16}) [tTwW] (\S+)/gm;
/** Names of the kernel's entry points, by what leads to them. */
const ENTRIES = { syscallEntry: 'entry_SYSCALL_64', sysenterEntry: 'entry_SYSENTER_32' } as const;

/** Function names by address: from a System.map, from /proc/kallsyms as text, or from an ELF file's symbol table. */
export class SymbolTable {
  readonly #addresses: readonly bigint[];
  readonly #names: readonly string[];

  constructor(symbols: readonly { readonly address: bigint; readonly name: string }[]) {
    const sorted = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    this.#addresses = sorted.map(({ address }) => address);
    this.#names = sorted.map(({ name }) => name);
  }

  static parse(bytes: Uint8Array, name: string): SymbolTable {
    const isElf = bytes[0] === 0x7f && bytes[1] === 0x45;
    const symbols = isElf ? new ElfFile(bytes, name).functions() : [...new TextDecoder('latin1').decode(bytes).matchAll(TEXT_LINE)].map(([, address = '0', text = '']) => ({ address: BigInt(`0x${address}`), name: text }));
    if (symbols.length === 0) throw new VmmError('IMAGE_INVALID', `Cannot find symbols in ${name}`, { hint: 'A System.map, the text of /proc/kallsyms, or an ELF file with its symbol table is wanted.' });
    return new SymbolTable(symbols);
  }

  get count(): number { return this.#names.length; }
  addressOf(name: string): bigint | undefined { return this.#addresses[this.#names.indexOf(name)]; }

  /** The function that an address is in, at most `reach` bytes behind its start. */
  find(address: bigint, reach = 0x1_0000n): { readonly name: string; readonly address: bigint } | undefined {
    let low = 0, high = this.#addresses.length;
    while (low < high) {
      const middle = low + high >> 1;
      if ((this.#addresses[middle] ?? 0n) <= address) low = middle + 1;
      else high = middle;
    }
    const start = this.#addresses[low - 1];
    return start === undefined || address - start >= reach ? undefined : { name: this.#names[low - 1] ?? '', address: start };
  }

  /** How far a kernel lies from where this table says (address space randomization), told by where its system calls enter. */
  slide(entries: { readonly syscallEntry: bigint; readonly sysenterEntry: bigint }): bigint {
    for (const key of ['syscallEntry', 'sysenterEntry'] as const) {
      const known = this.addressOf(ENTRIES[key]);
      if (known !== undefined && entries[key] !== 0n) return entries[key] - known;
    }
    return 0n;
  }
}

export async function readSymbols(path: string): Promise<SymbolTable> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new VmmError('OPTION_INVALID', `Cannot read symbols ${path}: ${firstLine(cause)}`, { hint: 'Check the path and its permissions.', cause });
  }
  return SymbolTable.parse(bytes, path);
}
