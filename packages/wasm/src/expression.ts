/* @hot: indices are bounded by construction. */
/**
 * WebAssembly expressions as immutable trees with constant folding. An expression is evaluated where it is used: bind loads and calls with
 * `FunctionBuilder.let` when their order or number matters. Opcodes: WebAssembly core specification, "Binary format / Instructions".
 */
import type { ByteWriter } from './bytes.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';


/** Node kinds: what follows the opcode. */
const PLAIN = 0, CONST = 1, LOCAL = 2, GLOBAL = 3, MEMORY = 4, CALL = 5, LANE = 6, V_CONST = 7, SHUFFLE = 8, MEMORY_LANE = 9;

export interface Expr {
  readonly type: ValueType;
  readonly kind: number;
  /** Opcode; 0xfcXX and 0xfdXXX carry a prefix. */
  readonly op: number;
  readonly args: readonly Expr[];
  /** Immediate: low/high words of a constant, local or function index, memory offset/alignment, lane. */
  readonly lo: number;
  readonly hi: number;
  readonly bytes: Uint8Array | undefined;
}

const NONE: readonly Expr[] = [];

function node(type: ValueType, kind: number, op: number, args: readonly Expr[] = NONE, lo = 0, hi = 0, bytes?: Uint8Array): Expr {
  return { type, kind, op, args, lo, hi, bytes };
}

export const i32 = (value: number): Expr => node('i32', CONST, 0x41, NONE, value | 0);
/** 64-bit constant from a safe integer, or from two words. */
export function i64(value: number, hi?: number): Expr {
  return node('i64', CONST, 0x42, NONE, value | 0, hi ?? Math.floor(value / 0x1_0000_0000) | 0);
}
export function i64big(value: bigint): Expr { return i64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))); }
export function f64(value: number): Expr {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return node('f64', CONST, 0x44, NONE, view.getInt32(0, true), view.getInt32(4, true));
}
export function f32(value: number): Expr {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return node('f32', CONST, 0x43, NONE, view.getInt32(0, true));
}
export function v128(bytes: Uint8Array): Expr { return node('v128', V_CONST, 0xfd0c, NONE, 0, 0, bytes); }

export function localGet(index: number, type: ValueType): Expr { return node(type, LOCAL, 0x20, NONE, index); }
export function globalGet(index: number, type: ValueType): Expr { return node(type, GLOBAL, 0x23, NONE, index); }
export function callExpr(functionIndex: number, type: ValueType, args: readonly Expr[]): Expr { return node(type, CALL, 0x10, args, functionIndex); }
export function callIndirectExpr(typeIndex: number, type: ValueType, args: readonly Expr[], index: Expr, table = 0): Expr {
  return node(type, CALL, 0x11, [...args, index], typeIndex, table);
}

export const isConst = (e: Expr): boolean => e.kind === CONST;
export const isConstValue = (e: Expr, value: number): boolean =>
  e.kind === CONST && (e.type === 'i32' || e.type === 'i64') && e.lo === (value | 0) && (e.type === 'i32' || e.hi === (value < 0 ? -1 : 0));
/** Nothing but a value: can be repeated and reordered freely. */
export const isPure = (e: Expr): boolean => e.kind === CONST;
export const isLocal = (e: Expr): boolean => e.kind === LOCAL;

// --- operators, typed by their first operand ---

interface Codes { readonly i32?: number; readonly i64?: number; readonly f32?: number; readonly f64?: number }

/** The opcode for a type. */
function picker(codes: Codes, what: string): (type: ValueType) => number {
  // plain variables: a keyed look-up in objects of several shapes is what most of the time would go to
  const { i32: code32 = 0, i64: code64 = 0, f32: single = 0, f64: double = 0 } = codes;
  return (type) => {
    const code = type === 'i32' ? code32 : type === 'i64' ? code64 : type === 'f32' ? single : type === 'f64' ? double : 0;
    if (code === 0) throw new Error(`no ${what} for ${type}`);
    return code;
  };
}

type Fold = (a: number, b: number) => number;

function binary(what: string, codes: Codes, fold?: Fold, options: { compare?: boolean; identity?: number; zero?: boolean } = {}) {
  const pick = picker(codes, what), { compare = false, identity, zero = false } = options;
  return (a: Expr, b: Expr): Expr => {
    const { type } = a;
    if (type !== b.type) throw new Error(`${what}: ${type} with ${b.type}`);
    if (b.kind === CONST) {
      if (identity !== undefined && isConstValue(b, identity)) return a;
      if (zero && isConstValue(b, 0)) return b;
      if (a.kind === CONST && fold !== undefined && type === 'i32') return i32(fold(a.lo, b.lo));
    }
    return node(compare ? 'i32' : type, PLAIN, pick(type), [a, b]);
  };
}

const bool = (value: boolean): number => value ? 1 : 0;

export const add = binary('add', { i32: 0x6a, i64: 0x7c, f32: 0x92, f64: 0xa0 }, (a, b) => a + b | 0, { identity: 0 });
export const sub = binary('sub', { i32: 0x6b, i64: 0x7d, f32: 0x93, f64: 0xa1 }, (a, b) => a - b | 0, { identity: 0 });
export const mul = binary('mul', { i32: 0x6c, i64: 0x7e, f32: 0x94, f64: 0xa2 }, Math.imul, { identity: 1 });
export const divS = binary('divS', { i32: 0x6d, i64: 0x7f });
export const divU = binary('divU', { i32: 0x6e, i64: 0x80 });
export const remS = binary('remS', { i32: 0x6f, i64: 0x81 });
export const remU = binary('remU', { i32: 0x70, i64: 0x82 });
export const div = binary('div', { f32: 0x95, f64: 0xa3 });
export const and = binary('and', { i32: 0x71, i64: 0x83 }, (a, b) => a & b, { identity: -1, zero: true });
export const or = binary('or', { i32: 0x72, i64: 0x84 }, (a, b) => a | b, { identity: 0 });
export const xor = binary('xor', { i32: 0x73, i64: 0x85 }, (a, b) => a ^ b, { identity: 0 });
export const shl = binary('shl', { i32: 0x74, i64: 0x86 }, (a, b) => a << b, { identity: 0 });
export const shrS = binary('shrS', { i32: 0x75, i64: 0x87 }, (a, b) => a >> b, { identity: 0 });
export const shrU = binary('shrU', { i32: 0x76, i64: 0x88 }, (a, b) => a >>> b, { identity: 0 });
export const rotl = binary('rotl', { i32: 0x77, i64: 0x89 }, undefined, { identity: 0 });
export const rotr = binary('rotr', { i32: 0x78, i64: 0x8a }, undefined, { identity: 0 });
export const fmin = binary('min', { f32: 0x96, f64: 0xa4 });
export const fmax = binary('max', { f32: 0x97, f64: 0xa5 });
export const copysign = binary('copysign', { f32: 0x98, f64: 0xa6 });

export const eq = binary('eq', { i32: 0x46, i64: 0x51, f32: 0x5b, f64: 0x61 }, (a, b) => bool(a === b), { compare: true });
export const ne = binary('ne', { i32: 0x47, i64: 0x52, f32: 0x5c, f64: 0x62 }, (a, b) => bool(a !== b), { compare: true });
export const ltS = binary('ltS', { i32: 0x48, i64: 0x53 }, (a, b) => bool(a < b), { compare: true });
export const ltU = binary('ltU', { i32: 0x49, i64: 0x54 }, (a, b) => bool(a >>> 0 < b >>> 0), { compare: true });
export const gtS = binary('gtS', { i32: 0x4a, i64: 0x55 }, (a, b) => bool(a > b), { compare: true });
export const gtU = binary('gtU', { i32: 0x4b, i64: 0x56 }, (a, b) => bool(a >>> 0 > b >>> 0), { compare: true });
export const leS = binary('leS', { i32: 0x4c, i64: 0x57 }, (a, b) => bool(a <= b), { compare: true });
export const leU = binary('leU', { i32: 0x4d, i64: 0x58 }, (a, b) => bool(a >>> 0 <= b >>> 0), { compare: true });
export const geS = binary('geS', { i32: 0x4e, i64: 0x59 }, (a, b) => bool(a >= b), { compare: true });
export const geU = binary('geU', { i32: 0x4f, i64: 0x5a }, (a, b) => bool(a >>> 0 >= b >>> 0), { compare: true });
export const flt = binary('lt', { f32: 0x5d, f64: 0x63 }, undefined, { compare: true });
export const fgt = binary('gt', { f32: 0x5e, f64: 0x64 }, undefined, { compare: true });
export const fle = binary('le', { f32: 0x5f, f64: 0x65 }, undefined, { compare: true });
export const fge = binary('ge', { f32: 0x60, f64: 0x66 }, undefined, { compare: true });

function unary(what: string, codes: Codes, fold?: (a: number) => number, result?: ValueType) {
  const pick = picker(codes, what);
  return (a: Expr): Expr => {
    if (a.kind === CONST && a.type === 'i32' && fold !== undefined) return i32(fold(a.lo));
    return node(result ?? a.type, PLAIN, pick(a.type), [a]);
  };
}

export const eqz = unary('eqz', { i32: 0x45, i64: 0x50 }, (a) => bool(a === 0), 'i32');
export const clz = unary('clz', { i32: 0x67, i64: 0x79 });
export const ctz = unary('ctz', { i32: 0x68, i64: 0x7a });
export const popcnt = unary('popcnt', { i32: 0x69, i64: 0x7b });
export const fabs = unary('abs', { f32: 0x8b, f64: 0x99 });
export const fneg = unary('neg', { f32: 0x8c, f64: 0x9a });
export const ceil = unary('ceil', { f32: 0x8d, f64: 0x9b });
export const floor = unary('floor', { f32: 0x8e, f64: 0x9c });
export const trunc = unary('trunc', { f32: 0x8f, f64: 0x9d });
export const nearest = unary('nearest', { f32: 0x90, f64: 0x9e });
export const sqrt = unary('sqrt', { f32: 0x91, f64: 0x9f });
/** Sign-extend the low 8, 16 or 32 bits within the type. */
export const extend8 = unary('extend8', { i32: 0xc0, i64: 0xc2 }, (a) => a << 24 >> 24);
export const extend16 = unary('extend16', { i32: 0xc1, i64: 0xc3 }, (a) => a << 16 >> 16);
export const extend32 = unary('extend32', { i64: 0xc4 });

/** Any other one-result instruction by opcode, for conversions (0xa7…0xbf, 0xfc00…) and SIMD (0xfd000…). */
export function plain(type: ValueType, op: number, ...args: readonly Expr[]): Expr { return node(type, PLAIN, op, args); }
/** A SIMD instruction with a lane index. */
export function lane(type: ValueType, op: number, index: number, ...args: readonly Expr[]): Expr { return node(type, LANE, op, args, index); }
export function shuffle(a: Expr, b: Expr, lanes: readonly number[]): Expr { return node('v128', SHUFFLE, 0xfd0d, [a, b], 0, 0, Uint8Array.from(lanes)); }

export function wrap(a: Expr): Expr { return a.kind === CONST ? i32(a.lo) : node('i32', PLAIN, 0xa7, [a]); }
/** The low word: of a value that was extended from 32 bits, that value itself. */
export function narrowed(a: Expr): Expr {
  const source = a.kind === PLAIN && (a.op === 0xac || a.op === 0xad) ? a.args[0] : undefined;
  return source ?? wrap(a);
}
export function extendS(a: Expr): Expr { return a.kind === CONST ? i64(a.lo, a.lo >> 31) : node('i64', PLAIN, 0xac, [a]); }
export function extendU(a: Expr): Expr { return a.kind === CONST ? i64(a.lo, 0) : node('i64', PLAIN, 0xad, [a]); }

export function select(condition: Expr, whenTrue: Expr, whenFalse: Expr): Expr {
  if (condition.kind === CONST) return condition.lo !== 0 ? whenTrue : whenFalse;
  // typed select (0x1c) is needed for v128 only by old validators; the plain form takes any numeric or vector type
  return node(whenTrue.type, PLAIN, 0x1b, [whenTrue, whenFalse, condition]);
}

export type Width = 8 | 16 | 32 | 64 | 128;

/** Opcode of a load or store, 0 for none. */
function loadCode(type: ValueType, width: Width, signed: boolean): number {
  const less = signed ? 1 : 0;
  if (type === 'i32') return width === 32 ? 0x28 : width === 8 ? 0x2d - less : width === 16 ? 0x2f - less : 0;
  if (type === 'i64') return width === 64 ? 0x29 : width === 32 ? 0x35 - less : width === 8 ? 0x31 - less : width === 16 ? 0x33 - less : 0;
  if (type === 'v128') return width === 128 ? 0xfd00 : width === 32 ? 0xfd5c : width === 64 ? 0xfd5d : 0;
  return type === 'f32' ? width === 32 ? 0x2a : 0 : width === 64 ? 0x2b : 0;
}
export function storeCode(type: ValueType, width: Width): number {
  if (type === 'i32') return width === 32 ? 0x36 : width === 8 ? 0x3a : width === 16 ? 0x3b : 0;
  if (type === 'i64') return width === 64 ? 0x37 : width === 32 ? 0x3e : width === 8 ? 0x3c : width === 16 ? 0x3d : 0;
  if (type === 'v128') return width === 128 ? 0xfd0b : 0;
  return type === 'f32' ? width === 32 ? 0x38 : 0 : width === 64 ? 0x39 : 0;
}

/** Load `width` bits at `address + offset` (little-endian, any alignment), zero-extended, or sign-extended if `signed`. */
export function load(type: ValueType, width: Width, address: Expr, offset = 0, signed = false): Expr {
  const code = loadCode(type, width, signed);
  if (code === 0) throw new Error(`no ${width}-bit load to ${type}`);
  return node(type, MEMORY, code, [address], offset, 0);
}
/** v128.loadN_lane (width 8..64). */
export function loadLane(width: 8 | 16 | 32 | 64, index: number, address: Expr, offset: number, vector: Expr): Expr {
  return node('v128', MEMORY_LANE, { 8: 0xfd54, 16: 0xfd55, 32: 0xfd56, 64: 0xfd57 }[width], [address, vector], offset, index);
}

/** Atomic read-modify-write and compare-exchange on shared memory (threads proposal); natural alignment required. */
export function atomic(type: 'i32' | 'i64', op: number, args: readonly Expr[], offset: number, alignLog2: number): Expr {
  return node(type, MEMORY, op, args, offset, alignLog2);
}

export function emitOpcode(out: ByteWriter, op: number): void {
  if (op < 0x100) { out.u8(op); return; }
  const prefix = op > 0xffff ? op >>> 12 : op >>> 8;
  out.u8(prefix);
  out.u32(op > 0xffff ? op & 0xfff : op & 0xff);
}

/** Append the code that leaves the expression's value on the stack. */
export function emit(out: ByteWriter, e: Expr): void {
  const { args } = e;
  for (let i = 0; i < args.length; i++) emit(out, args[i]!);
  switch (e.kind) {
    case PLAIN: emitOpcode(out, e.op); return;
    case CONST:
      out.u8(e.op);
      if (e.type === 'i32') out.s32(e.lo);
      else if (e.type === 'i64') out.s64(e.lo, e.hi);
      else for (let i = 0; i < (e.type === 'f64' ? 8 : 4); i++) out.u8((i < 4 ? e.lo : e.hi) >>> ((i & 3) << 3) & 0xff);
      return;
    case LOCAL: case GLOBAL: out.u8(e.op); out.u32(e.lo); return;
    case MEMORY: emitOpcode(out, e.op); out.u32(e.hi); out.u32(e.lo); return;
    case MEMORY_LANE: emitOpcode(out, e.op); out.u32(0); out.u32(e.lo); out.u8(e.hi); return;
    case CALL: out.u8(e.op); out.u32(e.lo); if (e.op === 0x11) out.u32(e.hi); return;
    case LANE: emitOpcode(out, e.op); out.u8(e.lo); return;
    case V_CONST: case SHUFFLE: emitOpcode(out, e.op); if (e.bytes !== undefined) out.raw(e.bytes); return;
    default: throw new Error(`unknown expression kind ${e.kind}`);
  }
}
