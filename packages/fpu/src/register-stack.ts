/** @hot The x87 register stack as transcendental instructions see it: operands taken apart, results rounded, exceptions. SDM vol 1 chapter 8 */
import { STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';

/** Status word bits. SDM vol 1 §8.1.3 */
export const STATUS = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 0x10, PE: 0x20, SF: 0x40, C1: 0x200, C2: 0x400, exceptions: 0x3f, summaryAndBusy: 0x8080 } as const;
/** Exceptions found before computing: unmasked, they leave the operands as they were. */
const BEFORE = STATUS.IE | STATUS.DE | STATUS.ZE;

export const KIND = { zero: 0, finite: 1, infinite: 2, quietNaN: 3, signallingNaN: 4, unsupported: 5 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

const BIAS = 16383, MAX_BIASED = 0x7fff, EXPONENT_WRAP = 24576;

/** An operand: (-1)^negative * (hi + lo) * 2^exponent with hi in [1, 2) if finite. */
export class Operand {
  kind: Kind = KIND.zero;
  negative = false;
  hi = 0;
  lo = 0;
  exponent = 0;
  denormal = false;
  /** Significand words, for NaNs and large integers. */
  high = 0;
  low = 0;

  get isNaN(): boolean { return this.kind >= KIND.quietNaN; }
  get isZero(): boolean { return this.kind === KIND.zero; }
  get isInfinite(): boolean { return this.kind === KIND.infinite; }
}

const ROUND = { nearest: 0, down: 1, up: 2, truncate: 3 } as const;

export class RegisterStack {
  readonly #state: StateView;
  readonly #bits = new DataView(new ArrayBuffer(8));
  /** Exceptions of the instruction at work. */
  #raised = 0;
  #roundedUp = false;

  constructor(state: StateView) { this.#state = state; }

  #at(i: number): number { return this.#state.base + STATE.fpr + ((this.#state.get('fpuTop') + i & 7) << 4); }
  isEmpty(i: number): boolean { return (this.#state.get('fpuTags') >> (this.#state.get('fpuTop') + i & 7) & 1) !== 0; }
  pop(): void {
    const top = this.#state.get('fpuTop');
    this.#state.set('fpuTags', this.#state.get('fpuTags') | 1 << top);
    this.#state.set('fpuTop', top + 1 & 7);
  }
  push(): void {
    const top = this.#state.get('fpuTop') + 7 & 7;
    this.#state.set('fpuTop', top);
    this.#setValid(0);
  }
  #setValid(i: number): void { this.#state.set('fpuTags', this.#state.get('fpuTags') & ~(1 << (this.#state.get('fpuTop') + i & 7))); }

  /** Takes ST(i) apart. */
  read(i: number, into: Operand): void {
    const at = this.#at(i), { data } = this.#state, top = data.getUint16(at + 8, true);
    let high = data.getUint32(at + 4, true), low = data.getUint32(at, true), exponent = (top & MAX_BIASED) - BIAS;
    into.negative = top > MAX_BIASED;
    into.high = high;
    into.low = low;
    into.denormal = false;
    if ((top & MAX_BIASED) === MAX_BIASED) {
      into.kind = high < 0x8000_0000 ? KIND.unsupported : (high & 0x7fff_ffff) === 0 && low === 0 ? KIND.infinite : (high & 0x4000_0000) !== 0 ? KIND.quietNaN : KIND.signallingNaN;
      return;
    }
    if ((top & MAX_BIASED) === 0) {
      if (high === 0 && low === 0) { into.kind = KIND.zero; return; }
      into.denormal = true;
      exponent = 1 - BIAS;
      while (high < 0x8000_0000) {
        high = (high * 2 >>> 0) + (low >>> 31);
        low = low << 1 >>> 0;
        exponent--;
      }
    } else if (high < 0x8000_0000) { into.kind = KIND.unsupported; return; }
    into.kind = KIND.finite;
    into.exponent = exponent;
    into.hi = high / 2 ** 31 + (low >>> 11) / 2 ** 52;
    into.lo = (low & 0x7ff) / 2 ** 63;
  }

  // --- exceptions ---

  begin(): void { this.#raised = 0; this.#roundedUp = false; }
  raise(flags: number): void { this.#raised |= flags; }
  /** True if an exception found so far is unmasked and forbids any result; the status word is then set. */
  isStopped(): boolean {
    const stopped = (this.#raised & BEFORE & ~this.#state.get('fpuControl')) !== 0;
    if (stopped) this.#raised &= BEFORE | STATUS.SF;
    if (stopped) this.finish();
    return stopped;
  }
  /** Moves the exceptions to the status word. */
  finish(): void {
    const state = this.#state, pending = this.#raised & ~state.get('fpuControl') & STATUS.exceptions;
    const status = state.get('fpuStatus') & ~STATUS.C1 | this.#raised | (this.#roundedUp ? STATUS.C1 : 0);
    state.set('fpuStatus', pending !== 0 ? status | STATUS.summaryAndBusy : status);
  }
  setC2(on: boolean): void { this.#state.set('fpuStatus', this.#state.get('fpuStatus') & ~STATUS.C2 | (on ? STATUS.C2 : 0)); }
  /** Stack overflow instead of underflow: C1 is set. */
  noteOverflow(): void { this.raise(STATUS.IE | STATUS.SF); this.#roundedUp = true; }

  // --- results ---

  #write(i: number, top: number, high: number, low: number): void {
    const at = this.#at(i), { data } = this.#state;
    data.setUint32(at, low, true);
    data.setUint32(at + 4, high, true);
    data.setUint16(at + 8, top, true);
    this.#setValid(i);
  }
  writeIndefinite(i: number): void { this.#write(i, 0xffff, 0xc000_0000, 0); }
  writeZero(i: number, negative: boolean): void { this.#write(i, negative ? 0x8000 : 0, 0, 0); }
  writeInfinity(i: number, negative: boolean): void { this.#write(i, negative ? 0xffff : 0x7fff, 0x8000_0000, 0); }
  writeNaN(i: number, source: Operand): void { this.#write(i, source.negative ? 0xffff : 0x7fff, (source.high | 0x4000_0000) >>> 0, source.low); }
  /** ST(i) = ST(0). */
  copyTop(i: number): void {
    this.#state.u8.copyWithin(this.#at(i), this.#at(0), this.#at(0) + 10);
    this.#setValid(i);
  }
  /** ±2^exponent. */
  writePower(i: number, negative: boolean, exponent: number): void { this.#write(i, (negative ? 0x8000 : 0) | exponent + BIAS, 0x8000_0000, 0); }

  /** Rounds (hi + lo) * 2^scale, which is never exact, to 64 bits in ST(i). hi is not 0. */
  writeRounded(i: number, hi: number, lo: number, scale: number): void {
    const negative = hi < 0, h = Math.abs(hi), l = negative ? -lo : lo;
    this.#bits.setFloat64(0, h);
    let exponent = (this.#bits.getUint16(0) >> 4) - 1023;
    const unit = 2 ** -exponent, m = h * unit * 2 ** 31;
    let high = Math.floor(m), rest = (m - high) * 2 ** 32 + l * unit * 2 ** 63;
    while (rest < 0) { high--; rest += 2 ** 32; }
    while (rest >= 2 ** 32) { high++; rest -= 2 ** 32; }
    if (high < 2 ** 31) {
      exponent--;
      rest *= 2;
      high = high * 2 + (rest >= 2 ** 32 ? 1 : 0);
      if (rest >= 2 ** 32) rest -= 2 ** 32;
    } else if (high >= 2 ** 32) { exponent++; rest = ((high & 1) * 2 ** 32 + rest) / 2; high = Math.floor(high / 2); }
    const low = Math.floor(rest);
    this.raise(STATUS.PE);
    this.#round(i, negative, exponent + scale, high, low, rest - low);
  }

  #round(i: number, negative: boolean, exponent: number, high: number, low: number, fraction: number): void {
    let e = exponent, h = high, l = low, f = fraction;
    // tininess is judged after rounding: just below the smallest normal number may round up to it
    if (e === -BIAS && h === 0xffff_ffff && l === 0xffff_ffff && this.#roundsUp(negative, f, l)) {
      this.#roundedUp = true;
      this.#write(i, (negative ? 0x8000 : 0) | 1, 0x8000_0000, 0);
      return;
    }
    if (e < 1 - BIAS) {
      const unmasked = (this.#state.get('fpuControl') & STATUS.UE) === 0;
      this.raise(STATUS.UE);
      if (unmasked) e += EXPONENT_WRAP;
      else {
        // rare: denormalize by whole steps
        const shift = Math.min(1 - BIAS - e, 66), whole = BigInt(h) << 32n | BigInt(l), kept = whole >> BigInt(shift);
        f = (Number(whole - (kept << BigInt(shift))) + f) / 2 ** shift;
        h = Number(kept >> 32n);
        l = Number(kept & 0xffff_ffffn);
        e = -BIAS;
      }
    }
    if (this.#roundsUp(negative, f, l)) {
      this.#roundedUp = true;
      if (++l === 2 ** 32) {
        l = 0;
        if (++h === 2 ** 32) { h = 2 ** 31; e++; }
      }
      if (e === -BIAS && h >= 2 ** 31) e = 1 - BIAS;
    }
    if (e > BIAS) {
      this.raise(STATUS.OE);
      if ((this.#state.get('fpuControl') & STATUS.OE) === 0) e -= EXPONENT_WRAP;
      else { this.writeInfinity(i, negative); return; }
    }
    this.#write(i, (negative ? 0x8000 : 0) | e + BIAS, h, l);
  }
  #roundsUp(negative: boolean, fraction: number, low: number): boolean {
    switch (this.#state.get('fpuControl') >> 10 & 3) {
      case ROUND.nearest: return fraction > 0.5 || (fraction === 0.5 && (low & 1) === 1);
      case ROUND.down: return negative && fraction > 0;
      case ROUND.up: return !negative && fraction > 0;
      default: return false;
    }
  }
}
