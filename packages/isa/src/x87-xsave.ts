/**
 * XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR and XRSTORS for x87, SSE, AVX and PKRU state. All components count as in use and modified, which the architecture
 * allows: XSAVEOPT is XSAVE, and a compacted area has the AVX component where the standard one has it. No supervisor component exists. SDM vol 1 chapter 13
 */
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';
import type { InstructionEntry } from './entry.ts';
import { RAX } from './machine.ts';
import type { Machine } from './machine.ts';
import { GP, NM, UD } from './sse-access.ts';
import { setMxcsr } from './sse-mxcsr.ts';
import * as v from './sse-wasm.ts';
import { initialize, plus, repeat, restoreHeader, restoreRegisters, saveHeader, saveRegisters } from './x87-state.ts';

const X87 = 1, SSE = 2, AVX = 4, PKRU = 0x200, COMPONENTS = X87 | SSE | AVX | PKRU;
const AREA = { mxcsr: 24, vectors: 160, header: 512, compaction: 520, avx: 576, pkru: 832 } as const, PKRU_BYTES = 8;
const CR4_OSXSAVE = 0x4_0000, CR0_TS = 8, MXCSR_BITS = 0xffff, MXCSR_INITIAL = 0x1f80;
const ALIGNMENT = 64;

/** Checks of all four; linear address of the area and the requested components (bound). */
function begin(m: Machine, write: boolean): { linear: Expr; requested: Expr } {
  m.faultIf(w.eqz(w.and(m.state32('cr4'), w.i32(CR4_OSXSAVE))), UD);
  m.faultIf(w.and(m.state32('cr0'), w.i32(CR0_TS)), NM);
  const linear = m.address(0, ALIGNMENT, write);
  m.faultIf(w.and(w.wrap(linear), w.i32(ALIGNMENT - 1)), GP);
  const requested = m.let(w.and(w.and(m.state32('xcr0'), m.register(RAX, 4)), w.i32(COMPONENTS)));
  // the area spans two pages at most: probing its header and its end finds every fault before the first change
  const afterHeader = w.select(has(requested, PKRU), w.i32(AREA.pkru + PKRU_BYTES), w.select(has(requested, AVX), w.i32(AREA.pkru), w.i32(AREA.avx)));
  for (const last of [m.let(w.add(linear, w.i64(AREA.header))), plus(m, linear, w.sub(afterHeader, w.i32(16)))]) {
    if (write) m.hostWrite(last, 16);
    else m.hostRead(last, 16);
  }
  return { linear, requested };
}
const has = (requested: Expr, components: number): Expr => w.and(requested, w.i32(components));
const at = (m: Machine, linear: Expr, offset: number): Expr => m.let(w.add(linear, w.i64(offset)));
/** Where PKRU lies: behind the AVX component, if the area has room for that. */
function protectionKeysAt(m: Machine, linear: Expr, compacted: Expr, layout: Expr): Expr {
  return plus(m, linear, w.select(w.and(compacted, w.eqz(w.and(layout, w.i32(AVX)))), w.i32(AREA.avx), w.i32(AREA.pkru)));
}
const registers = (m: Machine): number => (m.form.mode === 64 ? 16 : 8);

/** 16 bytes of each vector register, `upper` 0 or 16 bytes in, to or from the area at `offset`. */
function saveVectors(m: Machine, linear: Expr, offset: number, upper: number): void {
  repeat(m, registers(m), (i, step) => {
    const host = m.hostWrite(plus(m, linear, w.add(step, w.i32(offset))), 16);
    m.fn.store(128, host, 0, w.load('v128', 128, w.shl(i, w.i32(5)), m.stateAddress('vector') + upper));
    m.commit(host);
  });
}
function restoreVectors(m: Machine, linear: Expr, offset: number, upper: number): void {
  repeat(m, registers(m), (i, step) => {
    const host = m.hostRead(plus(m, linear, w.add(step, w.i32(offset))), 16);
    m.fn.store(128, w.shl(i, w.i32(5)), m.stateAddress('vector') + upper, w.load('v128', 128, host));
  });
}
function clearVectors(m: Machine, upper: number): void {
  for (let n = 0; n < registers(m); n++) m.fn.store(128, w.i32(0), m.stateAddress('vector', n, 32) + upper, v.zero());
}

function save(compacted: boolean): InstructionEntry {
  return { uses: ['size', 'mode'], run: (m) => {
    const { linear, requested } = begin(m, true), header = at(m, linear, AREA.header);
    m.when(has(requested, X87), () => {
      saveHeader(m, linear, m.size === 8, false);
      saveRegisters(m, linear);
    });
    m.when(has(requested, compacted ? SSE : SSE | AVX), () => {
      const host = m.hostWrite(at(m, linear, AREA.mxcsr), 8);
      m.fn.store(32, host, 0, m.state32('mxcsr'));
      m.fn.store(32, host, 4, w.i32(MXCSR_BITS));
      m.commit(host);
    });
    m.when(has(requested, SSE), () => { saveVectors(m, linear, AREA.vectors, 0); });
    m.when(has(requested, AVX), () => { saveVectors(m, linear, AREA.avx, 16); });
    m.when(has(requested, PKRU), () => {
      const host = m.hostWrite(protectionKeysAt(m, linear, w.i32(compacted ? 1 : 0), requested), PKRU_BYTES);
      m.fn.store(64, host, 0, w.extendU(m.state32('pkru')));
      m.commit(host);
    });
    const host = m.hostWrite(header, 16, true), wide = m.let(w.extendU(requested));
    if (compacted) {
      m.fn.store(64, host, 0, wide);
      m.fn.store(64, host, 8, w.or(wide, w.i64(0, 0x8000_0000)));
    } else m.fn.store(64, host, 0, w.or(w.load('i64', 64, host), wide));
    m.commit(host);
  } };
}

function restore(m: Machine, onlyCompacted: boolean): void {
  const { linear, requested } = begin(m, false), header = at(m, linear, AREA.header), host = m.hostRead(header, 64);
  const present = m.let(w.load('i64', 64, host)), compaction = m.let(w.load('i64', 64, host, 8)), compacted = m.let(w.ltS(compaction, w.i64(0)));
  if (onlyCompacted) m.faultIf(w.eqz(compacted), GP);
  const allowed = m.let(w.select(compacted, w.and(compaction, w.i64(-1, 0x7fff_ffff)), m.state64('xcr0')));
  const beyondXcr0 = w.and(allowed, w.xor(m.state64('xcr0'), w.i64(-1))), unknown = w.and(present, w.xor(allowed, w.i64(-1)));
  m.faultIf(w.ne(w.or(w.or(beyondXcr0, unknown), w.select(compacted, w.i64(0), compaction)), w.i64(0)), GP);
  m.faultIf(w.ne(w.load('i64', 64, host, 16), w.i64(0)), GP);
  const found = m.let(w.and(requested, w.wrap(present))), mxcsr = m.let(w.load('i32', 32, m.hostRead(at(m, linear, AREA.mxcsr), 4)));
  // the standard form loads MXCSR whenever SSE or AVX is asked for, the compacted one with SSE state only
  const loads = m.let(w.select(compacted, has(found, SSE), has(requested, SSE | AVX)));
  m.faultIf(w.and(w.ne(loads, w.i32(0)), w.ne(w.and(mxcsr, w.i32(~MXCSR_BITS)), w.i32(0))), GP);
  m.when(loads, () => { setMxcsr(m, mxcsr); }, () => {
    m.when(w.and(compacted, w.ne(has(requested, SSE), w.i32(0))), () => { setMxcsr(m, w.i32(MXCSR_INITIAL)); });
  });
  const component = (bit: number, load: () => void, clear: () => void): void => { m.when(has(requested, bit), () => { m.when(has(found, bit), load, clear); }); };
  component(X87, () => {
    restoreHeader(m, m.hostRead(linear, 32), m.size === 8);
    restoreRegisters(m, linear);
  }, () => {
    initialize(m);
    for (let n = 0; n < 8; n++) m.fn.store(128, w.i32(0), m.stateAddress('fpr', n, 16), v.zero());
  });
  component(SSE, () => { restoreVectors(m, linear, AREA.vectors, 0); }, () => { clearVectors(m, 0); });
  component(AVX, () => { restoreVectors(m, linear, AREA.avx, 16); }, () => { clearVectors(m, 16); });
  component(PKRU, () => {
    m.setState32('pkru', w.load('i32', 32, m.hostRead(protectionKeysAt(m, linear, compacted, w.wrap(compaction)), PKRU_BYTES)));
  }, () => { m.setState32('pkru', w.i32(0)); });
  m.when(has(requested, PKRU), () => { m.callout('pkru_changed'); });
}

export const XSAVE: Readonly<Record<string, InstructionEntry>> = {
  xsave: save(false), xsaveopt: save(false), xsavec: save(true), xsaves: save(true),
  xrstor: { uses: ['size', 'mode'], ends: true, run: (m) => { restore(m, false); } },
  xrstors: { uses: ['size', 'mode'], ends: true, run: (m) => { restore(m, true); } },
};
