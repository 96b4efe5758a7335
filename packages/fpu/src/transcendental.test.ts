import { STATE, StateView } from '@vmm/state';
import { describe, expect, it } from 'vitest';
import { FPU_CALLOUTS } from './index.ts';

const state = new StateView(new ArrayBuffer(0x4000), 0x1000);
const cpu = { state };

/** Loads numbers as ST(0), ST(1) …; the control word masks everything. */
function load(...values: readonly number[]): void {
  state.set('fpuControl', 0x37f);
  state.set('fpuStatus', 0);
  state.set('fpuTop', 0);
  state.set('fpuTags', 0xff << values.length & 0xff);
  values.forEach((value, i) => {
    const at = state.base + STATE.fpr + 16 * i, magnitude = Math.abs(value), exponent = magnitude === 0 ? -16383 : Math.floor(Math.log2(magnitude));
    state.data.setBigUint64(at, magnitude === 0 ? 0n : BigInt(magnitude * 2 ** -exponent * 2 ** 52) << 11n, true);
    state.data.setUint16(at + 8, (value < 0 || Object.is(value, -0) ? 0x8000 : 0) | exponent + 16383, true);
  });
}
/** ST(i) rounded to double. */
function top(i = 0): number {
  const at = state.base + STATE.fpr + 16 * (state.get('fpuTop') + i & 7), word = state.data.getUint16(at + 8, true);
  return (word & 0x8000 ? -1 : 1) * Number(state.data.getBigUint64(at, true)) * 2 ** ((word & 0x7fff) - 16383 - 63);
}

describe('transcendental instructions', () => {
  it.each([0.5, -1.25, 3, 100.5, 1e-5])('FSIN and FCOS of %d agree with the host library', (x) => {
    load(x);
    FPU_CALLOUTS.fsincos(cpu, 0);
    expect(top(0)).toBeCloseTo(Math.cos(x), 14);
    expect(top(1)).toBeCloseTo(Math.sin(x), 14);
    expect(state.get('fpuTop')).toBe(7);
  });
  it('FSIN of the smallest normal number rounds up to itself: no underflow, even unmasked', () => {
    load(1);
    const at = state.base + STATE.fpr;
    state.data.setUint16(at + 8, 1, true);
    state.set('fpuControl', 0x36f);
    FPU_CALLOUTS.fsin(cpu, 0);
    expect([state.data.getUint16(at + 8, true), state.data.getBigUint64(at, true), state.get('fpuStatus') & 0x30]).toEqual([1, 1n << 63n, 0x20]);
  });
  it('FSIN of 2^63 and beyond is left undone with C2 set', () => {
    load(2 ** 63);
    FPU_CALLOUTS.fsin(cpu, 0);
    expect([top(), state.get('fpuStatus') & 0x400]).toEqual([2 ** 63, 0x400]);
  });
  it.each([[2, 10], [0.75, -3], [1.0001, 1], [1e300, 1]])('FYL2X of %d times %d', (x, y) => {
    load(x, y);
    FPU_CALLOUTS.fyl2x(cpu, 0);
    expect(top() / (y * Math.log2(x))).toBeCloseTo(1, 12);
    expect(state.get('fpuTop')).toBe(1);
  });
  it('FYL2X of a negative number is invalid and gives the indefinite value', () => {
    load(-2, 1);
    FPU_CALLOUTS.fyl2x(cpu, 0);
    expect(state.get('fpuStatus') & 1).toBe(1);
    expect(state.data.getUint16(state.base + STATE.fpr + 16 + 8, true)).toBe(0xffff);
  });
  it('FYL2X of zero raises zero divide and, unmasked, leaves the operands', () => {
    load(0, 1);
    state.set('fpuControl', 0x37b);
    FPU_CALLOUTS.fyl2x(cpu, 0);
    expect([state.get('fpuTop'), state.get('fpuStatus') & 0x84]).toEqual([0, 0x84]);
  });
  it.each([[1, 1], [-1, 1], [1, -1], [-2, -3], [1e-10, 5], [3, 0]])('FPATAN of %d / %d finds the quadrant', (y, x) => {
    load(x, y);
    FPU_CALLOUTS.fpatan(cpu, 0);
    expect(top()).toBeCloseTo(Math.atan2(y, x), 14);
  });
  it.each([0.5, -0.5, 0.01, -0.999])('F2XM1 of %d', (x) => {
    load(x);
    FPU_CALLOUTS.f2xm1(cpu, 0);
    expect(top()).toBeCloseTo(2 ** x - 1, 14);
  });
  it('FPTAN pushes one', () => {
    load(1);
    FPU_CALLOUTS.fptan(cpu, 0);
    expect(top(0)).toBe(1);
    expect(top(1)).toBeCloseTo(Math.tan(1), 14);
  });
});
