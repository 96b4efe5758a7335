import { MEMORY_NAMES, MISC_NAMES, PLAIN_NAMES, VECTOR_NAMES } from './opcode-names.ts';

const TYPES: Readonly<Record<number, string>> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128', 0x70: 'funcref', 0x6f: 'externref' };
const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const PREFIX_MISC = 0xfc, PREFIX_VECTOR = 0xfd;

/** A function of a module as text. */
export interface DisassembledFunction {
  readonly index: number;
  readonly params: readonly string[];
  readonly results: readonly string[];
  /** Types of all locals, parameters first. */
  readonly locals: readonly string[];
  /** Instructions, indented by their nesting. */
  readonly lines: readonly string[];
}

export interface DisassembledModule {
  /** `module.name` of imported functions, in index order. */
  readonly imports: readonly string[];
  readonly functions: readonly DisassembledFunction[];
}

export interface DisassemblyOptions {
  /** A remark for a load or store with this constant offset. */
  readonly remark?: (offset: number) => string | undefined;
}

interface Signature { readonly params: readonly string[]; readonly results: readonly string[] }

/** Reads a binary module: the numeric, vector, memory and control instructions that compilers emit (no GC, no exceptions). Throws on others. */
export function disassemble(bytes: Uint8Array, options: DisassemblyOptions = {}): DisassembledModule {
  const reader = new Reader(bytes, 8);
  const types: Signature[] = [], imports: string[] = [], importTypes: number[] = [], declared: number[] = [], functions: DisassembledFunction[] = [];
  while (!reader.isAtEnd) {
    const id = reader.u8(), end = reader.u32() + reader.at;
    if (id === SECTION.type) reader.vector(() => { types.push(reader.signature()); });
    else if (id === SECTION.import) reader.vector(() => { readImport(reader, imports, importTypes); });
    else if (id === SECTION.function) reader.vector(() => { declared.push(reader.u32()); });
    else if (id === SECTION.code) {
      reader.vector((i) => {
        const signature = types[declared[i] ?? -1] ?? { params: [], results: [] };
        functions.push(new Body(reader, signature, imports.length + i, (index) => imports[index], options).read());
      });
    }
    reader.at = end;
  }
  return { imports, functions };
}

function readImport(reader: Reader, imports: string[], types: number[]): void {
  const name = `${reader.name()}.${reader.name()}`;
  const kind = reader.u8();
  if (kind === 0) {
    imports.push(name);
    types.push(reader.u32());
    return;
  }
  if (kind === 1) reader.u8();
  if (kind === 3) { reader.u8(); reader.u8(); return; }
  const flags = reader.u8();
  reader.u32();
  if ((flags & 1) !== 0) reader.u32();
}

/** One function body. */
class Body {
  readonly #reader: Reader;
  readonly #signature: Signature;
  readonly #index: number;
  readonly #nameOf: (index: number) => string | undefined;
  readonly #options: DisassemblyOptions;
  readonly #lines: string[] = [];
  #depth = 0;

  constructor(reader: Reader, signature: Signature, index: number, nameOf: (index: number) => string | undefined, options: DisassemblyOptions) {
    this.#reader = reader;
    this.#signature = signature;
    this.#index = index;
    this.#nameOf = nameOf;
    this.#options = options;
  }

  read(): DisassembledFunction {
    const reader = this.#reader, end = reader.u32() + reader.at;
    const locals = [...this.#signature.params];
    reader.vector(() => {
      const count = reader.u32(), type = typeName(reader.u8());
      for (let i = 0; i < count; i++) locals.push(type);
    });
    while (reader.at < end) this.#instruction(reader.u8(), reader.at === end);
    return { index: this.#index, ...this.#signature, locals, lines: this.#lines };
  }

  #say(text: string): void { this.#lines.push(`${'  '.repeat(this.#depth)}${text}`); }

  #instruction(op: number, isLast: boolean): void {
    const plain = PLAIN_NAMES.get(op);
    if (plain !== undefined) { this.#say(plain); return; }
    const memory = MEMORY_NAMES.get(op);
    if (memory !== undefined) { this.#say(this.#access(memory)); return; }
    const reader = this.#reader;
    switch (op) {
      case 0x02: case 0x03: case 0x04: this.#open(op === 2 ? 'block' : op === 3 ? 'loop' : 'if'); return;
      case 0x05: this.#depth--; this.#say('else'); this.#depth++; return;
      case 0x0b:
        if (isLast) return;
        this.#depth--;
        this.#say('end');
        return;
      case 0x0c: this.#say(`br ${reader.u32()}`); return;
      case 0x0d: this.#say(`br_if ${reader.u32()}`); return;
      case 0x0e: {
        const labels: number[] = [];
        reader.vector(() => { labels.push(reader.u32()); });
        this.#say(`br_table ${[...labels, reader.u32()].join(' ')}`);
        return;
      }
      case 0x10: case 0x12: {
        const index = reader.u32();
        this.#say(`${op === 0x10 ? 'call' : 'return_call'} ${this.#nameOf(index) ?? index}`);
        return;
      }
      case 0x11: case 0x13: {
        const type = reader.u32();
        this.#say(`${op === 0x11 ? 'call_indirect' : 'return_call_indirect'} (table ${reader.u32()}) (type ${type})`);
        return;
      }
      case 0x1c: {
        const types: string[] = [];
        reader.vector(() => { types.push(typeName(reader.u8())); });
        this.#say(`select (result ${types.join(' ')})`);
        return;
      }
      case 0x20: this.#say(`local.get ${reader.u32()}`); return;
      case 0x21: this.#say(`local.set ${reader.u32()}`); return;
      case 0x22: this.#say(`local.tee ${reader.u32()}`); return;
      case 0x23: this.#say(`global.get ${reader.u32()}`); return;
      case 0x24: this.#say(`global.set ${reader.u32()}`); return;
      case 0x3f: case 0x40: reader.u8(); this.#say(op === 0x3f ? 'memory.size' : 'memory.grow'); return;
      case 0x41: this.#say(`i32.const ${reader.s32()}`); return;
      case 0x42: this.#say(`i64.const ${reader.s64()}`); return;
      case 0x43: this.#say(`f32.const ${reader.f32()}`); return;
      case 0x44: this.#say(`f64.const ${reader.f64()}`); return;
      case PREFIX_MISC: this.#misc(reader.u32()); return;
      case PREFIX_VECTOR: this.#vector(reader.u32()); return;
      default: throw new Error(`no instruction 0x${op.toString(16)} at byte ${reader.at - 1}`);
    }
  }

  #open(name: string): void {
    const type = this.#reader.s32();
    this.#say(type === -64 ? name : `${name} (${type < 0 ? `result ${typeName(type & 0x7f)}` : `type ${type}`})`);
    this.#depth++;
  }

  #access(name: string): string {
    const align = this.#reader.u32(), offset = this.#reader.u32();
    const remark = this.#options.remark?.(offset);
    return `${name}${offset === 0 ? '' : ` offset=${offset}`}${align > 3 ? ` align=${2 ** align}` : ''}${remark === undefined ? '' : ` ;; ${remark}`}`;
  }

  #misc(op: number): void {
    const name = MISC_NAMES[op];
    if (name === undefined) throw new Error(`no instruction 0xfc ${op}`);
    const immediates = op < 8 ? 0 : name.endsWith('.copy') || name.endsWith('.init') ? 2 : 1;
    for (let i = 0; i < immediates; i++) this.#reader.u32();
    this.#say(name);
  }

  #vector(op: number): void {
    const name = VECTOR_NAMES.get(op), reader = this.#reader;
    if (name === undefined) throw new Error(`no instruction 0xfd ${op}`);
    if (op === 0x0c || op === 0x0d) this.#say(`${name} ${Array.from({ length: 16 }, () => reader.u8()).join(' ')}`);
    else if (op <= 0x0b || op === 0x5c || op === 0x5d) this.#say(this.#access(name));
    else if (op >= 0x54 && op <= 0x5b) this.#say(`${this.#access(name)} lane ${reader.u8()}`);
    else if (op >= 0x15 && op <= 0x22) this.#say(`${name} ${reader.u8()}`);
    else this.#say(name);
  }
}

function typeName(code: number): string { return TYPES[code] ?? `type 0x${code.toString(16)}`; }

class Reader {
  readonly #bytes: Uint8Array;
  readonly #data: DataView;
  at: number;
  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }
  get isAtEnd(): boolean { return this.at >= this.#bytes.length; }
  u8(): number { return this.#bytes[this.at++] ?? 0; }
  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }
  s64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (byte & 0x40) === 0 ? value : value - (1n << shift + 7n));
    }
  }
  s32(): number { return Number(this.s64()); }
  f32(): number { this.at += 4; return this.#data.getFloat32(this.at - 4, true); }
  f64(): number { this.at += 8; return this.#data.getFloat64(this.at - 8, true); }
  name(): string {
    const length = this.u32();
    this.at += length;
    return new TextDecoder().decode(this.#bytes.slice(this.at - length, this.at));
  }
  vector(each: (index: number) => void): void {
    const count = this.u32();
    for (let i = 0; i < count; i++) each(i);
  }
  signature(): Signature {
    this.u8();
    const list = (): string[] => {
      const types: string[] = [];
      this.vector(() => { types.push(typeName(this.u8())); });
      return types;
    };
    return { params: list(), results: list() };
  }
}
