import { ByteWriter } from './bytes.ts';
import { callExpr } from './expression.ts';
import type { Expr, ValueType } from './expression.ts';
import { FunctionBuilder, TYPE_BYTE } from './function.ts';
import type { FunctionBody, FunctionType } from './function.ts';

/** Of a type, as a number: one digit a value. Exact up to 20 values, more than any function has. */
function keyOf({ params, results }: FunctionType): number {
  let key = 1;
  for (const type of params) key = key * 6 + 0x7f - TYPE_BYTE[type];
  key = key * 6 + 5;
  for (const type of results) key = key * 6 + 0x7f - TYPE_BYTE[type];
  return key;
}

/** A function of the module under construction, imported or defined. `call` gives an expression (one result). */
export class FunctionRef {
  readonly index: number;
  readonly type: FunctionType;
  constructor(index: number, type: FunctionType) { this.index = index; this.type = type; }
  call(...args: readonly Expr[]): Expr {
    const result = this.type.results[0];
    if (result === undefined) throw new Error('function has no result: use FunctionBuilder.callVoid');
    if (args.length !== this.type.params.length) throw new Error(`expected ${this.type.params.length} arguments, got ${args.length}`);
    for (let i = 0; i < args.length; i++) if (args[i]?.type !== this.type.params[i]) throw new Error(`argument ${i}: ${args[i]?.type}, expected ${this.type.params[i]}`);
    return callExpr(this.index, result, args);
  }
}

export interface MemoryImport { readonly module: string; readonly name: string; readonly minimumPages: number; readonly maximumPages: number; readonly shared: boolean }
export interface TableImport { readonly module: string; readonly name: string; readonly minimum: number }

interface Defined { readonly ref: FunctionRef; body: FunctionBody | undefined }

/** Writes one WebAssembly module. Import functions first; then declare (for recursion and forward calls) or define the others. */
export class ModuleBuilder {
  readonly #types: number[] = [];
  readonly #typeBytes: ByteWriter[] = [];
  readonly #imports: ByteWriter[] = [];
  readonly #defined: Defined[] = [];
  readonly #exports: { name: string; kind: number; index: number }[] = [];
  readonly #elements: { offset: number; functions: readonly FunctionRef[] }[] = [];
  readonly #globals: { type: ValueType; mutable: boolean; lo: number; hi: number }[] = [];
  /** In the order in which they were finished. */
  readonly #bodies = new ByteWriter(1 << 12);
  #importedFunctions = 0;
  #importedGlobals = 0;
  #ownTable: number | undefined;

  /** A builder with the same types and imports: for many modules that import the same things. Only before anything is defined. */
  clone(): ModuleBuilder {
    if (this.#defined.length > 0) throw new Error('clone before defining functions');
    const copy = new ModuleBuilder();
    copy.#types.push(...this.#types);
    copy.#typeBytes.push(...this.#typeBytes);
    copy.#imports.push(...this.#imports);
    copy.#importedFunctions = this.#importedFunctions;
    copy.#importedGlobals = this.#importedGlobals;
    return copy;
  }

  typeIndex(type: FunctionType): number {
    const key = keyOf(type);
    const known = this.#types.indexOf(key);
    if (known >= 0) return known;
    const bytes = new ByteWriter(16);
    bytes.u8(0x60);
    for (const list of [type.params, type.results]) { bytes.u32(list.length); for (const t of list) bytes.u8(TYPE_BYTE[t]); }
    this.#typeBytes.push(bytes);
    return this.#types.push(key) - 1;
  }

  #import(module: string, name: string, kind: number): ByteWriter {
    const bytes = new ByteWriter(32);
    bytes.name(module);
    bytes.name(name);
    bytes.u8(kind);
    this.#imports.push(bytes);
    return bytes;
  }

  importFunction(module: string, name: string, params: readonly ValueType[], results: readonly ValueType[] = []): FunctionRef {
    if (this.#defined.length > 0) throw new Error('import functions before defining any');
    const type = { params, results };
    this.#import(module, name, 0x00).u32(this.typeIndex(type));
    return new FunctionRef(this.#importedFunctions++, type);
  }
  importMemory(memory: MemoryImport): void {
    const bytes = this.#import(memory.module, memory.name, 0x02);
    bytes.u8(memory.shared ? 0x03 : 0x01);
    bytes.u32(memory.minimumPages);
    bytes.u32(memory.maximumPages);
  }
  importTable(table: TableImport): void {
    const bytes = this.#import(table.module, table.name, 0x01);
    bytes.u8(0x70);
    bytes.u8(0x00);
    bytes.u32(table.minimum);
  }
  importGlobal(module: string, name: string, type: ValueType, mutable = false): number {
    const bytes = this.#import(module, name, 0x03);
    bytes.u8(TYPE_BYTE[type]);
    bytes.u8(mutable ? 1 : 0);
    return this.#importedGlobals++;
  }

  /** A table of the module's own (index 0 when none is imported). */
  table(size: number): void { this.#ownTable = size; }
  elements(offset: number, functions: readonly FunctionRef[]): void { this.#elements.push({ offset, functions }); }
  global(type: 'i32' | 'i64', mutable: boolean, lo = 0, hi = 0): number {
    return this.#importedGlobals + this.#globals.push({ type, mutable, lo, hi }) - 1;
  }

  /** Reserve a function index; give the body later with `fill`. */
  declare(params: readonly ValueType[], results: readonly ValueType[] = []): FunctionRef {
    const ref = new FunctionRef(this.#importedFunctions + this.#defined.length, { params, results });
    this.typeIndex(ref.type);
    this.#defined.push({ ref, body: undefined });
    return ref;
  }
  fill(ref: FunctionRef, write: (fn: FunctionBuilder) => void): void {
    const defined = this.#defined[ref.index - this.#importedFunctions];
    if (defined === undefined) throw new Error(`function ${ref.index} is imported: it cannot have a body`);
    const fn = new FunctionBuilder(ref.type);
    fn.scope(() => { write(fn); });
    defined.body = fn.finish(this.#bodies);
  }
  define(params: readonly ValueType[], results: readonly ValueType[], write: (fn: FunctionBuilder) => void): FunctionRef {
    const ref = this.declare(params, results);
    this.fill(ref, write);
    return ref;
  }

  export(name: string, ref: FunctionRef): void { this.#exports.push({ name, kind: 0, index: ref.index }); }
  exportTable(name: string): void { this.#exports.push({ name, kind: 1, index: 0 }); }

  finish(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(this.#bodies.length + 4096);
    out.raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const section = (id: number, count: number, write: (s: ByteWriter) => void): void => {
      if (count === 0) return;
      const s = new ByteWriter(1024);
      s.u32(count);
      write(s);
      out.u8(id);
      out.sized(s);
    };
    section(1, this.#typeBytes.length, (s) => { for (const t of this.#typeBytes) s.raw(t.bytes, t.length); });
    section(2, this.#imports.length, (s) => { for (const i of this.#imports) s.raw(i.bytes, i.length); });
    section(3, this.#defined.length, (s) => { for (const d of this.#defined) s.u32(this.typeIndex(d.ref.type)); });
    const table = this.#ownTable;
    section(4, table === undefined ? 0 : 1, (s) => { s.u8(0x70); s.u8(0x00); s.u32(table ?? 0); });
    section(6, this.#globals.length, (s) => {
      for (const g of this.#globals) {
        s.u8(TYPE_BYTE[g.type]);
        s.u8(g.mutable ? 1 : 0);
        if (g.type === 'i32') { s.u8(0x41); s.s32(g.lo); } else { s.u8(0x42); s.s64(g.lo, g.hi); }
        s.u8(0x0b);
      }
    });
    section(7, this.#exports.length, (s) => { for (const e of this.#exports) { s.name(e.name); s.u8(e.kind); s.u32(e.index); } });
    section(9, this.#elements.length, (s) => {
      for (const e of this.#elements) {
        s.u8(0x00); s.u8(0x41); s.s32(e.offset); s.u8(0x0b);
        s.u32(e.functions.length);
        for (const f of e.functions) s.u32(f.index);
      }
    });
    this.#writeHints(out);
    this.#writeBodies(out);
    return out.finish();
  }

  #writeBodies(out: ByteWriter): void {
    const defined = this.#defined, count = new ByteWriter(8);
    if (defined.length === 0) return;
    count.u32(defined.length);
    let bytes = count.length;
    for (const { ref, body } of defined) {
      if (body === undefined) throw new Error(`function ${ref.index} was declared but never filled`);
      const length = body.to - body.from;
      bytes += length + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5);
    }
    out.u8(10);
    out.u32(bytes);
    out.part(count.bytes, 0, count.length);
    for (const { body } of defined) {
      if (body === undefined) continue;
      out.u32(body.to - body.from);
      out.part(this.#bodies.bytes, body.from, body.to);
    }
  }

  /** The branch hinting section: functions in order, their hints in order. Engines without branch hinting skip it. */
  #writeHints(out: ByteWriter): void {
    const hinted = this.#defined.filter(({ body }) => body !== undefined && body.hints.length > 0);
    if (hinted.length === 0) return;
    const s = new ByteWriter(1024);
    s.name('metadata.code.branch_hint');
    s.u32(hinted.length);
    for (const { ref, body } of hinted) {
      s.u32(ref.index);
      s.u32(body?.hints.length ?? 0);
      for (const { at, isLikely } of body?.hints ?? []) { s.u32(at); s.u8(1); s.u8(isLikely ? 1 : 0); }
    }
    out.u8(0);
    out.sized(s);
  }
}
