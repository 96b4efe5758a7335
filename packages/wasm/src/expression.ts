/* @hot: indices are bounded by construction. */
/**
 * WebAssembly expressions as immutable trees with constant folding. An expression is evaluated where it is used: bind loads and calls with
 * `FunctionBuilder.let` when their order or number matters. Opcodes: WebAssembly core specification, "Binary format / Instructions".
 */
import type { Binding } from './binding.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/** Node kinds: what follows the opcode. BOUND: a value that a function's builder keeps. TOP: no code at all. */
export const PLAIN = 0, CONST = 1, LOCAL = 2, GLOBAL = 3, MEMORY = 4, CALL = 5, LANE = 6, V_CONST = 7, SHUFFLE = 8, MEMORY_LANE = 9, BOUND = 10, TOP = 11;

export interface Expr {
  readonly type: ValueType;
  readonly kind: number;
  /** Opcode; 0xfcXX and 0xfdXXX carry a prefix. */
  readonly op: number;
  /** Operands: the first two, and all others. */
  readonly a: Expr | undefined;
  readonly b: Expr | undefined;
  readonly rest: readonly Expr[];
  /** Immediate: low/high words of a constant, local or function index, memory offset/alignment, lane. */
  readonly lo: number;
  readonly hi: number;
  readonly bytes: Uint8Array | undefined;
  readonly binding: Binding | undefined;
}

const NONE: readonly Expr[] = [];

function node(type: ValueType, kind: number, op: number, a: Expr | undefined, b: Expr | undefined, rest = NONE, lo = 0, hi = 0, bytes?: Uint8Array): Expr {
  return { type, kind, op, a, b, rest, lo, hi, bytes, binding: undefined };
}
const leaf = (type: ValueType, kind: number, op: number, lo = 0, hi = 0, bytes?: Uint8Array): Expr => node(type, kind, op, undefined, undefined, NONE, lo, hi, bytes);
const nary = (type: ValueType, kind: number, op: number, args: readonly Expr[], lo = 0, hi = 0, bytes?: Uint8Array): Expr =>
  node(type, kind, op, args[0], args[1], args.length > 2 ? args.slice(2) : NONE, lo, hi, bytes);

const newI32 = (value: number): Expr => leaf('i32', CONST, 0x41, value);
const SMALL = Array.from({ length: 256 }, (_, value) => newI32(value));
export const i32 = (value: number): Expr => ((value & 0xff) === value ? SMALL[value]! : newI32(value | 0));
/** 64-bit constant from a safe integer, or from two words. */
export function i64(value: number, hi?: number): Expr {
  return leaf('i64', CONST, 0x42, value | 0, hi ?? Math.floor(value / 0x1_0000_0000) | 0);
}
export function i64big(value: bigint): Expr { return i64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))); }
export function f64(value: number): Expr {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return leaf('f64', CONST, 0x44, view.getInt32(0, true), view.getInt32(4, true));
}
export function f32(value: number): Expr {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return leaf('f32', CONST, 0x43, view.getInt32(0, true));
}
export function v128(bytes: Uint8Array): Expr { return leaf('v128', V_CONST, 0xfd0c, 0, 0, bytes); }

export function localGet(index: number, type: ValueType): Expr { return leaf(type, LOCAL, 0x20, index); }
/** The value on top of the stack, as the first operand of the next thing that is evaluated. */
export const top = (type: ValueType): Expr => leaf(type, TOP, 0);
export function globalGet(index: number, type: ValueType): Expr { return leaf(type, GLOBAL, 0x23, index); }
export function callExpr(functionIndex: number, type: ValueType, args: readonly Expr[]): Expr { return nary(type, CALL, 0x10, args, functionIndex); }
export function callIndirectExpr(typeIndex: number, type: ValueType, args: readonly Expr[], index: Expr, table = 0): Expr {
  return nary(type, CALL, 0x11, [...args, index], typeIndex, table);
}

/** What `FunctionBuilder.let` gives. */
export const boundExpr = (type: ValueType, binding: Binding): Expr => ({ type, kind: BOUND, op: 0, a: undefined, b: undefined, rest: NONE, lo: 0, hi: 0, bytes: undefined, binding });

export const isConst = (e: Expr): boolean => e.kind === CONST;
export const isConstValue = (e: Expr, value: number): boolean =>
  e.kind === CONST && (e.type === 'i32' || e.type === 'i64') && e.lo === (value | 0) && (e.type === 'i32' || e.hi === (value < 0 ? -1 : 0));
export const isLocal = (e: Expr): boolean => e.kind === LOCAL;

// --- operators, typed by their first operand ---

interface Codes { readonly i32?: number; readonly i64?: number; readonly f32?: number; readonly f64?: number }

const noCode = (what: string, type: ValueType): never => { throw new Error(`no ${what} for ${type}`); };

type Fold = (a: number, b: number) => number;

function binary(what: string, codes: Codes, fold?: Fold, options: { compare?: boolean; identity?: number; zero?: boolean } = {}) {
  // plain variables: a keyed look-up in objects of several shapes is what most of the time would go to
  const { i32: code32 = 0, i64: code64 = 0, f32: single = 0, f64: double = 0 } = codes, { compare = false, identity, zero = false } = options;
  return (a: Expr, b: Expr): Expr => {
    const { type } = a;
    if (type !== b.type) throw new Error(`${what}: ${type} with ${b.type}`);
    if (b.kind === CONST) {
      if (identity !== undefined && isConstValue(b, identity)) return a;
      if (zero && isConstValue(b, 0)) return b;
      if (a.kind === CONST && fold !== undefined && type === 'i32') return i32(fold(a.lo, b.lo));
    }
    const code = type === 'i32' ? code32 : type === 'i64' ? code64 : type === 'f32' ? single : type === 'f64' ? double : 0;
    return node(compare ? 'i32' : type, PLAIN, code === 0 ? noCode(what, type) : code, a, b);
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
const anyAnd = binary('and', { i32: 0x71, i64: 0x83 }, (a, b) => a & b, { identity: -1, zero: true });
export function and(a: Expr, b: Expr): Expr {
  const low = b.kind === CONST && b.type === 'i64' && b.lo === -1 && b.hi === 0 ? lowWord(a) : undefined;
  return low === undefined ? anyAnd(a, b) : extendU(low);
}
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
  const { i32: code32 = 0, i64: code64 = 0, f32: single = 0, f64: double = 0 } = codes;
  return (a: Expr): Expr => {
    const { type } = a;
    if (a.kind === CONST && type === 'i32' && fold !== undefined) return i32(fold(a.lo));
    const code = type === 'i32' ? code32 : type === 'i64' ? code64 : type === 'f32' ? single : type === 'f64' ? double : 0;
    return node(result ?? type, PLAIN, code === 0 ? noCode(what, type) : code, a, undefined);
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
export function plain(type: ValueType, op: number, ...args: readonly Expr[]): Expr { return nary(type, PLAIN, op, args); }
/** A SIMD instruction with a lane index. */
export function lane(type: ValueType, op: number, index: number, ...args: readonly Expr[]): Expr { return nary(type, LANE, op, args, index); }
export function shuffle(a: Expr, b: Expr, lanes: readonly number[]): Expr { return node('v128', SHUFFLE, 0xfd0d, a, b, NONE, 0, 0, Uint8Array.from(lanes)); }

const WRAP = 0xa7, EXTEND_S = 0xac, EXTEND_U = 0xad;
/** The low word of a value that can be computed in 32 bits: one that was extended from 32 bits, and sums and the like of such. */
function lowWord(e: Expr): Expr | undefined {
  if (e.kind === CONST) return i32(e.lo);
  if (e.kind !== PLAIN || e.type !== 'i64') return undefined;
  if (e.op === EXTEND_S || e.op === EXTEND_U) return e.a;
  if (e.op < 0x7c || e.op > 0x85 || (e.op > 0x7e && e.op < 0x83)) return undefined;
  const a = lowWord(e.a!), b = a === undefined ? undefined : lowWord(e.b!);
  if (a === undefined || b === undefined) return undefined;
  switch (e.op) {
    case 0x7c: return add(a, b);
    case 0x7d: return sub(a, b);
    case 0x7e: return mul(a, b);
    case 0x83: return and(a, b);
    case 0x84: return or(a, b);
    default: return xor(a, b);
  }
}
export function wrap(a: Expr): Expr { return lowWord(a) ?? node('i32', PLAIN, WRAP, a, undefined); }
export function extendS(a: Expr): Expr { return a.kind === CONST ? i64(a.lo, a.lo >> 31) : node('i64', PLAIN, EXTEND_S, a, undefined); }
export function extendU(a: Expr): Expr { return a.kind === CONST ? i64(a.lo, 0) : node('i64', PLAIN, EXTEND_U, a, undefined); }
/** One byte of code that can as well be repeated as its result kept: widening, narrowing, negation. */
export const isCheap = (e: Expr): boolean => e.kind === PLAIN && (e.op === WRAP || e.op === EXTEND_S || e.op === EXTEND_U || e.op === 0x45 || e.op === 0x50);
/** The same operation on another operand. */
export const withOperand = (e: Expr, a: Expr): Expr => node(e.type, e.kind, e.op, a, undefined);

export function select(condition: Expr, whenTrue: Expr, whenFalse: Expr): Expr {
  if (condition.kind === CONST) return condition.lo !== 0 ? whenTrue : whenFalse;
  // typed select (0x1c) is needed for v128 only by old validators; the plain form takes any numeric or vector type
  return node(whenTrue.type, PLAIN, 0x1b, whenTrue, whenFalse, [condition]);
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
  return node(type, MEMORY, code, address, undefined, NONE, offset, 0);
}
/** v128.loadN_lane (width 8..64). */
export function loadLane(width: 8 | 16 | 32 | 64, index: number, address: Expr, offset: number, vector: Expr): Expr {
  return node('v128', MEMORY_LANE, { 8: 0xfd54, 16: 0xfd55, 32: 0xfd56, 64: 0xfd57 }[width], address, vector, NONE, offset, index);
}

/** Atomic read-modify-write and compare-exchange on shared memory (threads proposal); natural alignment required. */
export function atomic(type: 'i32' | 'i64', op: number, args: readonly Expr[], offset: number, alignLog2: number): Expr {
  return nary(type, MEMORY, op, args, offset, alignLog2);
}
