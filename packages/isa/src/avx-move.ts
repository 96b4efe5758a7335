/** VEX moves, broadcasts, permutations, lane insertions, masked moves. SDM vol 2 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import { isWide, mapHalves, readHalves, vex, vexBinary, vexUnary, writeHalves, zipHalves } from './avx-access.ts';
import type { Halves } from './avx-access.ts';
import type { InstructionEntry } from './entry.ts';
import { RDI } from './machine.ts';
import type { Machine } from './machine.ts';
import { immediate8, isImmediate, isXmm, readLowVector } from './sse-access.ts';
import { insertLane, laneToBottom, writeGeneral } from './sse-integer.ts';
import { mergeLow } from './sse-move.ts';
import { dwordIndices } from './sse-packed.ts';
import { extractInteger } from './sse-sse4.ts';
import * as v from './sse-wasm.ts';

const move = (alignment: 1 | 16): InstructionEntry => vex((m) => { writeHalves(m, 0, readHalves(m, 1, isWide(m), alignment), alignment); });

function moveScalar(bytes: 4 | 8): InstructionEntry {
  return vex((m) => {
    if (m.isMemory(0)) m.write(0, bytes === 4 ? v.lane32(m.read(1), 0) : v.lane64(m.read(1), 0));
    else if (m.isMemory(1)) writeHalves(m, 0, [readLowVector(m, 1, bytes)]);
    else writeHalves(m, 0, [mergeLow(bytes, m.read(1), m.read(2))]);
  });
}
/** VMOVD, VMOVQ. */
function moveQuad(bytes: 4 | 8): InstructionEntry {
  return vex((m) => {
    const value = isXmm(m, 1) ? m.let(bytes === 4 ? v.lane32(m.read(1), 0) : v.lane64(m.read(1), 0)) : m.read(1, bytes);
    if (isXmm(m, 0)) writeHalves(m, 0, [bytes === 4 ? v.withLane32(v.zero(), 0, value) : v.withLane64(v.zero(), 0, value)]);
    else m.write(0, value);
  });
}
/** VMOVLPS and so on: dst = src1 with one half from memory. */
function moveHalf(half: 0 | 1): InstructionEntry {
  return vex((m) => {
    if (m.isMemory(0)) { m.write(0, v.lane64(m.read(1), half)); return; }
    const value = m.read(2, 8);
    writeHalves(m, 0, [v.withLane64(m.read(1), half, value)]);
  });
}
const rearrange = (lanes: readonly number[]): InstructionEntry => vexBinary((_m, a, b) => v.shuffleLanes(8, a, b, lanes));
const within = (width: number, lanes: readonly number[]): InstructionEntry => vexUnary((_m, a) => v.shuffleLanes(width, a, a, lanes));

/** The same value in every lane of `bytes`. */
function broadcast(bytes: 1 | 2 | 4 | 8): InstructionEntry {
  return vex((m) => {
    const source = m.isMemory(1) ? splat(bytes, m.read(1, bytes)) : splatLow(bytes, m.read(1)), value = m.let(source);
    writeHalves(m, 0, m.sizeOf(0) === 32 ? [value, value] : [value]);
  });
}
const splat = (bytes: number, value: Expr): Expr => (bytes === 8 ? v.splat64(value) : bytes === 4 ? v.splat32(value) : bytes === 2 ? v.splat16(value) : v.splat8(value));
const splatLow = (bytes: number, a: Expr): Expr => v.shuffleLanes(bytes, a, a, Array.from({ length: 16 / bytes }, () => 0));
const broadcast128 = vex((m) => {
  const [value] = readHalves(m, 1, false);
  writeHalves(m, 0, [value, value]);
});

/** VINSERTF128: dst = src1 with one half replaced. */
const insert128 = vex((m) => {
  const [value] = readHalves(m, 2, false), [low, high] = readHalves(m, 1, true), upper = m.let(w.and(immediate8(m, 3), w.i32(1)));
  writeHalves(m, 0, [m.let(w.select(upper, low, value)), m.let(w.select(upper, value, high ?? v.zero()))]);
});
const extract128 = vex((m) => {
  const [low, high] = readHalves(m, 1, true);
  writeHalves(m, 0, [m.let(w.select(w.and(immediate8(m, 2), w.i32(1)), high ?? low, low))]);
});
/** VPERM2F128: each half is one of four, or zero (bit 3 of its field). */
const permute128 = vex((m) => {
  const [bLow, bHigh] = readHalves(m, 2, true), [aLow, aHigh] = readHalves(m, 1, true), imm = immediate8(m, 3);
  const choose = (shift: number): Expr => {
    const field = m.let(w.shrU(imm, w.i32(shift))), odd = w.and(field, w.i32(1));
    const chosen = w.select(w.and(field, w.i32(2)), w.select(odd, bHigh ?? bLow, bLow), w.select(odd, aHigh ?? aLow, aLow));
    return m.let(w.select(w.and(field, w.i32(8)), v.zero(), chosen));
  };
  writeHalves(m, 0, [choose(0), choose(4)]);
});

/** Dwords of a by the low two bits of each dword of the control. */
function selectDwords(a: Expr, control: Expr): Expr {
  return v.swizzle(a, v.add32(v.mul32(v.and(control, v.dwords(3)), v.dwords(0x0404_0404)), v.dwords(0x0302_0100)));
}
/** Quadwords of a by bit 1 of each quadword of the control. */
function selectQuads(a: Expr, control: Expr): Expr {
  const high = v.shrS64(v.shl64(control, w.i32(62)), w.i32(63));
  return v.bitselect(v.shuffleLanes(8, a, a, [1, 1]), v.shuffleLanes(8, a, a, [0, 0]), high);
}
const permilps = vex((m) => {
  if (isImmediate(m, 2)) writeHalves(m, 0, mapHalves(readHalves(m, 1), (a) => m.let(v.swizzle(a, dwordIndices(immediate8(m, 2))))));
  else permil(m, selectDwords);
});
const permilpd = vex((m) => {
  if (!isImmediate(m, 2)) { permil(m, selectQuads); return; }
  const imm = immediate8(m, 2);
  writeHalves(m, 0, mapHalves(readHalves(m, 1), (a, half) => m.let(selectQuads(a, bitsToQuads(m, w.shrU(imm, w.i32(2 * half)))))));
});
/** Bits 0 and 1 as bit 1 of two quadwords. */
const bitsToQuads = (m: Machine, imm: Expr): Expr => {
  const bits = m.let(w.extendU(imm));
  return m.let(v.withLane64(v.splat64(w.shl(bits, w.i64(1))), 1, bits));
};
function permil(m: Machine, op: (a: Expr, control: Expr) => Expr): void {
  const control = readHalves(m, 2), a = readHalves(m, 1);
  writeHalves(m, 0, zipHalves(a, control, (x, y) => m.let(op(x, y))));
}

/** VPERMD, VPERMPS: eight dwords by the low three bits of each index. */
const permuteDwords = vex((m) => {
  const [low, high] = readHalves(m, 2, true), indices = readHalves(m, 1, true);
  writeHalves(m, 0, mapHalves(indices, (index) => {
    const upper = v.shrS32(v.shl32(index, w.i32(29)), w.i32(31));
    return m.let(v.bitselect(selectDwords(high ?? low, index), selectDwords(low, index), upper));
  }));
});
/** VPERMQ, VPERMPD: four quadwords by two-bit fields. */
const permuteQuads = vex((m) => {
  const [low, high] = readHalves(m, 1, true), imm = immediate8(m, 2);
  const choose = (shift: number): Expr => {
    const field = m.let(w.shrU(imm, w.i32(shift))), from = m.let(w.select(w.and(field, w.i32(2)), high ?? low, low));
    return m.let(w.select(w.and(field, w.i32(1)), v.lane64(from, 1), v.lane64(from, 0)));
  };
  const pair = (a: Expr, b: Expr): Expr => m.let(v.withLane64(v.splat64(a), 1, b));
  writeHalves(m, 0, [pair(choose(0), choose(2)), pair(choose(4), choose(6))]);
});

/**
 * VMASKMOV, VPMASKMOV: lanes whose mask is negative move, the others read as zero or stay. Only their memory is touched, so a fault can only come
 * from a lane that moves: lane by lane, checked before anything is written.
 */
function maskedMove(bytes: 4 | 8): InstructionEntry {
  return vex((m) => {
    const store = m.isMemory(0), wide = m.form.operands.some(({ kind, size }) => kind === 'xmm' && size === 32), lanes = (wide ? 32 : 16) / bytes, perHalf = 16 / bytes;
    const memory = store ? 0 : 2, linear = m.address(memory, 0, store), mask = readHalves(m, 1, wide), bits = mapHalves(mask, (a) => m.let(bytes === 4 ? v.bitmask32(a) : v.bitmask64(a)));
    const at = (lane: number): Expr => m.let(w.add(linear, w.i64(lane * bytes))), chosen = (lane: number): Expr => w.and(bits[lane < perHalf ? 0 : 1] ?? w.i32(0), w.i32(1 << lane % perHalf));
    if (!store) {
      const result = [m.local('v128'), m.local('v128')] as const;
      for (const half of result) m.fn.set(half, v.zero());
      for (let lane = 0; lane < lanes; lane++) {
        m.when(chosen(lane), () => {
          const half = result[lane < perHalf ? 0 : 1], host = m.hostRead(at(lane), bytes), within = lane % perHalf;
          m.fn.set(half, w.loadLane(bytes === 4 ? 32 : 64, within, host, 0, m.fn.get(half)));
        });
      }
      writeHalves(m, 0, wide ? [m.fn.get(result[0]), m.fn.get(result[1])] : [m.fn.get(result[0])]);
      return;
    }
    const data = readHalves(m, 2, wide);
    for (let lane = 0; lane < lanes; lane++) m.when(chosen(lane), () => { m.hostWrite(at(lane), bytes); });
    for (let lane = 0; lane < lanes; lane++) {
      m.when(chosen(lane), () => {
        const host = m.hostWrite(at(lane), bytes);
        m.fn.storeLane(bytes === 4 ? 32 : 64, lane % perHalf, host, 0, data[lane < perHalf ? 0 : 1] ?? data[0]);
        m.commit(host);
      });
    }
  });
}

function maskedBytes(m: Machine): void {
  const address = m.form.addressSize, linear = m.linearSource(m.let(m.resize(address, 8, m.register(RDI, address))), 16, true), data = m.read(0), mask = m.let(v.shrS8(m.read(1), w.i32(7)));
  const host = m.hostWrite(linear, 16, true);
  m.fn.store(128, host, 0, v.bitselect(data, w.load('v128', 128, host), mask));
  m.commit(host);
}

/** VZEROUPPER, VZEROALL. The registers that exist outside 64-bit mode are eight. */
function zero(all: boolean): InstructionEntry {
  return { uses: ['mode'], run: (m) => {
    vex(() => undefined).run(m);
    for (let n = 0; n < (m.form.mode === 64 ? 16 : 8); n++) {
      const at = m.stateAddress('vector', n, 32);
      if (all) m.fn.store(128, w.i32(0), at, v.zero());
      m.fn.store(128, w.i32(0), at + 16, v.zero());
    }
  } };
}

const insertWord = vex((m) => {
  const value = m.read(2), narrow = value.type === 'i64' ? w.wrap(value) : value;
  writeHalves(m, 0, [insertLane(2, m.read(1), w.and(immediate8(m, 3), w.i32(7)), narrow)]);
});
const extractWord = vex((m) => { writeGeneral(m, 0, v.laneU16(laneToBottom(2, m.read(1), w.and(immediate8(m, 2), w.i32(7))), 0)); });

export const AVX_MOVES: Readonly<Record<string, InstructionEntry>> = {
  vmovups: move(1), vmovupd: move(1), vmovdqu: move(1), vlddqu: move(1), vmovaps: move(16), vmovapd: move(16), vmovdqa: move(16),
  vmovntps: move(16), vmovntpd: move(16), vmovntdq: move(16), vmovntdqa: move(16),
  vmovss: moveScalar(4), vmovsd: moveScalar(8), vmovd: moveQuad(4), vmovq: moveQuad(8),
  vmovlps: moveHalf(0), vmovlpd: moveHalf(0), vmovhps: moveHalf(1), vmovhpd: moveHalf(1), vmovhlps: rearrange([3, 1]), vmovlhps: rearrange([0, 2]),
  vmovsldup: within(4, [0, 0, 2, 2]), vmovshdup: within(4, [1, 1, 3, 3]),
  vmovddup: vex((m) => {
    const halves: Halves = m.sizeOf(0) === 32 ? readHalves(m, 1, true) : [readLowVector(m, 1, 8)];
    writeHalves(m, 0, mapHalves(halves, (a) => m.let(v.shuffleLanes(8, a, a, [0, 0]))));
  }),
  vbroadcastss: broadcast(4), vbroadcastsd: broadcast(8), vpbroadcastb: broadcast(1), vpbroadcastw: broadcast(2), vpbroadcastd: broadcast(4), vpbroadcastq: broadcast(8),
  vbroadcastf128: broadcast128, vbroadcasti128: broadcast128, vinsertf128: insert128, vinserti128: insert128, vextractf128: extract128, vextracti128: extract128,
  vperm2f128: permute128, vperm2i128: permute128, vpermilps: permilps, vpermilpd: permilpd, vpermd: permuteDwords, vpermps: permuteDwords, vpermq: permuteQuads, vpermpd: permuteQuads,
  vmaskmovps: maskedMove(4), vmaskmovpd: maskedMove(8), vpmaskmovd: maskedMove(4), vpmaskmovq: maskedMove(8),
  vmaskmovdqu: { uses: ['address'], run: (m) => { vex(maskedBytes).run(m); } },
  vzeroupper: zero(false), vzeroall: zero(true),
  vpinsrw: insertWord, vpextrw: extractWord,
  vpextrb: vex((m) => { extractInteger(m, 1); }), vpextrd: vex((m) => { extractInteger(m, 4); }), vpextrq: vex((m) => { extractInteger(m, 8); }), vextractps: vex((m) => { extractInteger(m, 4); }),
};
