/** AES-NI, PCLMULQDQ and SHA. SDM vol 1 §12.13; FIPS 197, FIPS 180-4 */
import * as w from '@vmm/wasm';
import type { Expr, FunctionRef, ModuleBuilder } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import type { Machine } from './machine.ts';
import { checkSse, immediate8, readVector } from './sse-access.ts';
import * as v from './sse-wasm.ts';

// --- AES ---

/** FIPS 197 §5.1.1: inverse in GF(2^8), then an affine map. */
function substitutionBox(): Uint8Array {
  const box = new Uint8Array(256), logarithm = new Uint8Array(256), power = new Uint8Array(256);
  for (let i = 0, x = 1; i < 255; i++) {
    power[i] = x;
    logarithm[x] = i;
    x ^= x << 1 ^ (x & 0x80 ? 0x11b : 0);
  }
  for (let x = 0; x < 256; x++) {
    const inverse = x === 0 ? 0 : power[(255 - (logarithm[x] ?? 0)) % 255] ?? 0, twice = inverse | inverse << 8;
    box[x] = (inverse ^ twice >> 7 ^ twice >> 6 ^ twice >> 5 ^ twice >> 4 ^ 0x63) & 0xff;
  }
  return box;
}
function inverseOf(box: Uint8Array): Uint8Array {
  const inverse = new Uint8Array(256);
  box.forEach((value, x) => { inverse[value] = x; });
  return inverse;
}

/** State byte i is row i mod 4, column i div 4; row r is turned left by r columns. */
const SHIFT_ROWS = Array.from({ length: 16 }, (_, i) => (i + 4 * (i & 3)) & 15), INVERSE_SHIFT_ROWS = Array.from({ length: 16 }, (_, i) => (i - 4 * (i & 3)) & 15);
/** Column bytes turned by n rows. */
const turned = (n: number): number[] => Array.from({ length: 16 }, (_, i) => (i & 12) | (i + n & 3));

/** A 256-byte table look-up on 16 bytes at once: sixteen swizzles, each of which gives 0 outside its own 16 indices. */
function defineLookup(module: ModuleBuilder, table: Uint8Array): FunctionRef {
  return module.define(['v128'], ['v128'], (fn) => {
    let result: Expr | undefined;
    for (let k = 0; k < 16; k++) {
      const part = v.swizzle(w.v128(table.subarray(k * 16, k * 16 + 16)), v.sub8(fn.param(0), v.bytes(k * 16)));
      result = result === undefined ? part : v.or(result, part);
    }
    fn.return(result ?? v.zero());
  });
}

/** Each byte times x in GF(2^8). */
const double = (a: Expr): Expr => v.xor(v.shl8(a, w.i32(1)), v.and(v.shrS8(a, w.i32(7)), v.bytes(0x1b)));
const permute = (a: Expr, lanes: readonly number[]): Expr => v.shuffleLanes(1, a, a, lanes);

function defineAes(module: ModuleBuilder, functions: Record<string, FunctionRef>): void {
  const box = substitutionBox(), substitute = defineLookup(module, box), inverseSubstitute = defineLookup(module, inverseOf(box));
  functions['aes_substitute'] = substitute;
  const mix = module.define(['v128'], ['v128'], (fn) => {
    // 2a + 3b + c + d down each column = 2(a + b) + b + c + d
    const a = fn.param(0), b = fn.let(permute(a, turned(1)));
    fn.return(v.xor(v.xor(double(fn.let(v.xor(a, b))), b), v.xor(permute(a, turned(2)), permute(a, turned(3)))));
  });
  const inverseMix = module.define(['v128'], ['v128'], (fn) => {
    // the inverse is the mix of (a + 4 (a + c))
    const a = fn.param(0), both = fn.let(v.xor(a, permute(a, turned(2)))), twice = fn.let(double(both));
    fn.return(mix.call(v.xor(a, double(twice))));
  });
  functions['aes_imc'] = inverseMix;
  functions['aes_enc'] = module.define(['v128', 'v128'], ['v128'], (fn) => { fn.return(v.xor(mix.call(substitute.call(permute(fn.param(0), SHIFT_ROWS))), fn.param(1))); });
  functions['aes_enclast'] = module.define(['v128', 'v128'], ['v128'], (fn) => { fn.return(v.xor(substitute.call(permute(fn.param(0), SHIFT_ROWS)), fn.param(1))); });
  functions['aes_dec'] = module.define(['v128', 'v128'], ['v128'], (fn) => { fn.return(v.xor(inverseMix.call(inverseSubstitute.call(permute(fn.param(0), INVERSE_SHIFT_ROWS))), fn.param(1))); });
  functions['aes_declast'] = module.define(['v128', 'v128'], ['v128'], (fn) => { fn.return(v.xor(inverseSubstitute.call(permute(fn.param(0), INVERSE_SHIFT_ROWS)), fn.param(1))); });
}

/** AESKEYGENASSIST: dwords 1 and 3 substituted, and turned by a byte with the round constant. */
export function keyAssist(m: Machine, a: Expr, imm: Expr): Expr {
  const s = m.helper('aes_substitute', a);
  const words = v.shuffleLanes(1, s, s, [4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12]);
  return v.xor(words, v.and(v.splat32(imm), v.dwords(0, -1, 0, -1)));
}

// --- carry-less multiplication ---

/** 64 x 64 → 128 without carries: integer products of operands with three of four bits removed keep carries out of the bits that count. */
function defineCarryless(module: ModuleBuilder): FunctionRef {
  const masks = [0x1111_1111, 0x2222_2222, 0x4444_4444, 0x8888_8888].map((word) => w.i64(word, word));
  const low = module.define(['i64', 'i64'], ['i64'], (fn) => {
    const x = masks.map((mask) => fn.let(w.and(fn.param(0), mask))), y = masks.map((mask) => fn.let(w.and(fn.param(1), mask)));
    let result: Expr = w.i64(0);
    masks.forEach((mask, k) => {
      let sum: Expr | undefined;
      x.forEach((xi, i) => {
        const product = w.mul(xi, y[k - i & 3] as Expr);
        sum = sum === undefined ? product : w.xor(sum, product);
      });
      result = w.or(result, w.and(sum as Expr, mask));
    });
    fn.return(result);
  });
  const reverse = module.define(['i64'], ['i64'], (fn) => {
    let x: Expr = fn.param(0);
    for (const [shift, word] of [[1, 0x5555_5555], [2, 0x3333_3333], [4, 0x0f0f_0f0f], [8, 0x00ff_00ff], [16, 0x0000_ffff]] as const) {
      const mask = w.i64(word, word), s = w.i64(shift), bound = fn.let(x);
      x = w.or(w.and(w.shrU(bound, s), mask), w.shl(w.and(bound, mask), s));
    }
    fn.return(w.rotl(x, w.i64(32)));
  });
  return module.define(['i64', 'i64'], ['v128'], (fn) => {
    // the high half is the low half of the reversed operands, reversed and moved by one
    const high = w.shrU(reverse.call(low.call(reverse.call(fn.param(0)), reverse.call(fn.param(1)))), w.i64(1));
    fn.return(v.withLane64(v.splat64(low.call(fn.param(0), fn.param(1))), 1, high));
  });
}
export function carrylessMultiply(m: Machine, a: Expr, b: Expr, imm: Expr): Expr {
  const half = (x: Expr, bit: number): Expr => w.select(w.and(imm, w.i32(bit)), v.lane64(x, 1), v.lane64(x, 0));
  return m.helper('clmul', m.let(half(a, 1)), m.let(half(b, 16)));
}

// --- SHA ---

const rotl = (x: Expr, n: number): Expr => w.rotl(x, w.i32(n)), rotr = (x: Expr, n: number): Expr => w.rotr(x, w.i32(n));
const lane = (m: Machine, a: Expr, i: number): Expr => m.let(v.lane32(a, i));
const sum = (...terms: readonly Expr[]): Expr => terms.reduce((a, b) => w.add(a, b));
const fromLanes = (lanes: readonly Expr[]): Expr => lanes.reduce((vector, value, i) => v.withLane32(vector, i, value), v.zero());

const choose = (b: Expr, c: Expr, d: Expr): Expr => w.xor(w.and(b, c), w.and(w.xor(b, w.i32(-1)), d));
const majority = (b: Expr, c: Expr, d: Expr): Expr => w.xor(w.xor(w.and(b, c), w.and(b, d)), w.and(c, d));
const parity = (b: Expr, c: Expr, d: Expr): Expr => w.xor(w.xor(b, c), d);

/** Four rounds of SHA-1: state a:b:c:d from the top lane down, e already in the message; the function and constant by imm. */
function sha1Rounds(m: Machine, state: Expr, message: Expr, imm: Expr): Expr {
  const kind = m.let(w.and(imm, w.i32(3)));
  const constant = m.let(w.select(w.eqz(kind), w.i32(0x5a82_7999), w.select(w.eq(kind, w.i32(1)), w.i32(0x6ed9_eba1), w.select(w.eq(kind, w.i32(2)), w.i32(0x8f1b_bcdc), w.i32(0xca62_c1d6)))));
  let [a, b, c, d] = [3, 2, 1, 0].map((i) => lane(m, state, i)) as [Expr, Expr, Expr, Expr], e: Expr = w.i32(0);
  for (let round = 0; round < 4; round++) {
    const f = w.select(w.eqz(kind), choose(b, c, d), w.select(w.eq(kind, w.i32(2)), majority(b, c, d), parity(b, c, d)));
    const next = m.let(sum(f, rotl(a, 5), lane(m, message, 3 - round), e, constant));
    [a, b, c, d, e] = [next, a, m.let(rotl(b, 30)), c, d];
  }
  return fromLanes([d, c, b, a]);
}

/** Two rounds of SHA-256: state c:d:g:h in `cdgh`, a:b:e:f in `abef`, message plus constant in `wk`'s low lanes. */
function sha256Rounds(m: Machine, cdgh: Expr, abef: Expr, wk: Expr): Expr {
  let [a, b, e, f] = [3, 2, 1, 0].map((i) => lane(m, abef, i)) as [Expr, Expr, Expr, Expr];
  let [c, d, g, h] = [3, 2, 1, 0].map((i) => lane(m, cdgh, i)) as [Expr, Expr, Expr, Expr];
  for (let round = 0; round < 2; round++) {
    const sigma1 = w.xor(w.xor(rotr(e, 6), rotr(e, 11)), rotr(e, 25)), sigma0 = w.xor(w.xor(rotr(a, 2), rotr(a, 13)), rotr(a, 22));
    const t1 = m.let(sum(choose(e, f, g), sigma1, lane(m, wk, round), h)), t2 = sum(majority(a, b, c), sigma0);
    [a, b, c, d, e, f, g, h] = [m.let(w.add(t1, t2)), a, b, c, m.let(w.add(t1, d)), e, f, g];
  }
  return fromLanes([f, e, b, a]);
}
const small0 = (x: Expr): Expr => w.xor(w.xor(rotr(x, 7), rotr(x, 18)), w.shrU(x, w.i32(3)));
const small1 = (x: Expr): Expr => w.xor(w.xor(rotr(x, 17), rotr(x, 19)), w.shrU(x, w.i32(10)));

const SHA: Readonly<Record<string, (m: Machine, a: Expr, b: Expr) => Expr>> = {
  sha1nexte: (m, a, b) => v.withLane32(b, 3, w.add(lane(m, b, 3), rotl(lane(m, a, 3), 30))),
  // words w0 … w3 from the top lane down
  sha1msg1: (_m, a, b) => v.xor(a, v.shuffleLanes(8, a, b, [3, 0])),
  sha1msg2: (m, a, b) => {
    const w16 = m.let(rotl(w.xor(lane(m, a, 3), lane(m, b, 2)), 1)), w17 = rotl(w.xor(lane(m, a, 2), lane(m, b, 1)), 1), w18 = rotl(w.xor(lane(m, a, 1), lane(m, b, 0)), 1);
    return fromLanes([rotl(w.xor(lane(m, a, 0), w16), 1), w18, w17, w16]);
  },
  sha256msg1: (m, a, b) => v.add32(a, fromLanes([1, 2, 3].map((i) => m.let(small0(lane(m, a, i)))).concat(m.let(small0(lane(m, b, 0)))))),
  sha256msg2: (m, a, b) => {
    const w16 = m.let(w.add(lane(m, a, 0), small1(lane(m, b, 2)))), w17 = m.let(w.add(lane(m, a, 1), small1(lane(m, b, 3))));
    return fromLanes([w16, w17, m.let(w.add(lane(m, a, 2), small1(w16))), m.let(w.add(lane(m, a, 3), small1(w17)))]);
  },
};

// --- tables ---

export function defineCryptoHelpers(module: ModuleBuilder): Record<string, FunctionRef> {
  const functions: Record<string, FunctionRef> = {};
  defineAes(module, functions);
  functions['clmul'] = defineCarryless(module);
  return functions;
}

export const AES_ROUNDS = { aesenc: 'aes_enc', aesenclast: 'aes_enclast', aesdec: 'aes_dec', aesdeclast: 'aes_declast' } as const;

const entry = (run: (m: Machine) => void): InstructionEntry => ({ run: (m) => { checkSse(m); run(m); } });
const binary = (op: (m: Machine, a: Expr, b: Expr) => Expr): InstructionEntry => entry((m) => {
  const b = readVector(m, 1);
  m.write(0, op(m, m.read(0), b));
});

export const CRYPTO: Readonly<Record<string, InstructionEntry>> = {
  ...Object.fromEntries(Object.entries(AES_ROUNDS).map(([name, helper]) => [name, binary((m, a, b) => m.helper(helper, a, b))])),
  aesimc: entry((m) => { m.write(0, m.helper('aes_imc', readVector(m, 1))); }),
  aeskeygenassist: entry((m) => { m.write(0, keyAssist(m, readVector(m, 1), immediate8(m, 2))); }),
  pclmulqdq: binary((m, a, b) => carrylessMultiply(m, a, b, immediate8(m, 2))),
  ...Object.fromEntries(Object.entries(SHA).map(([name, op]) => [name, binary(op)])),
  sha1rnds4: binary((m, a, b) => sha1Rounds(m, a, b, immediate8(m, 2))),
  sha256rnds2: binary((m, a, b) => sha256Rounds(m, a, b, m.read(2))),
};
