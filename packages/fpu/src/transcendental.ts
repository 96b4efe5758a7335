/** @hot FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1: special cases from the manual's tables, the rest from functions.ts. SDM vol 2 */
import { HALF_PI, LN2, LOG2_E, PI, QUARTER_PI, THREE_QUARTER_PI } from './constants.ts';
import { reduceLarge } from './exact.ts';
import { add, divide, low, multiply } from './double-double.ts';
import { arctangent, cosine, logarithm2, logarithm2Plus1, power2Less1, quadrant, reduceByHalfPi, resultLow, sine } from './functions.ts';
import { KIND, Operand, RegisterStack, STATUS } from './register-stack.ts';

/** Below this exponent x and sin x differ by less than a quarter of the last place. */
const TINY = -34;
/** The larger of 2^-80 relative: stands for "not exact" on that side. */
const HAIR = 2 ** -80;

export class Transcendental {
  readonly #stack: RegisterStack;
  readonly #x = new Operand();
  readonly #y = new Operand();
  // remainder and quadrant of the reduced argument
  #rh = 0;
  #rl = 0;
  #quadrant = 0;

  constructor(stack: RegisterStack) { this.#stack = stack; }

  // --- trigonometric ---

  sine(): void { this.#trigonometric((x) => { this.#writeSine(0, x); }, false); }
  cosine(): void { this.#trigonometric((x) => { this.#writeCosine(0, x); }, false); }
  sineCosine(): void {
    this.#trigonometric((x) => {
      this.#writeSine(0, x);
      this.#stack.push();
      this.#writeCosine(0, x);
    }, true);
  }
  tangent(): void {
    this.#trigonometric((x) => {
      this.#writeTangent(x);
      this.#stack.push();
      this.#stack.writePower(0, false, 0);
    }, true);
  }

  #trigonometric(compute: (x: Operand) => void, pushes: boolean): void {
    const stack = this.#stack, x = this.#x;
    stack.begin();
    stack.setC2(false);
    if (stack.isEmpty(0)) { stack.raise(STATUS.IE | STATUS.SF); this.#indefinite(pushes); return; }
    if (pushes && !stack.isEmpty(7)) { stack.noteOverflow(); this.#indefinite(true); return; }
    stack.read(0, x);
    if (x.kind === KIND.finite && x.exponent >= 63) {
      stack.setC2(true);
      stack.finish();
      return;
    }
    if (x.kind === KIND.infinite || x.kind === KIND.unsupported) { stack.raise(STATUS.IE); this.#indefinite(pushes); return; }
    if (x.kind === KIND.signallingNaN) stack.raise(STATUS.IE);
    if (x.denormal) stack.raise(STATUS.DE);
    if (stack.isStopped()) return;
    if (x.isNaN) {
      stack.writeNaN(0, x);
      if (pushes) { stack.push(); stack.writeNaN(0, x); }
    } else {
      if (x.kind === KIND.finite && x.exponent >= TINY) this.#reduce(x);
      compute(x);
    }
    stack.finish();
  }
  #indefinite(pushes: boolean): void {
    const stack = this.#stack;
    if (stack.isStopped()) return;
    stack.writeIndefinite(0);
    if (pushes) { stack.push(); stack.writeIndefinite(0); }
    stack.finish();
  }

  #reduce(x: Operand): void {
    const sign = x.negative ? -1 : 1;
    if (x.exponent < 20) {
      const unit = sign * 2 ** x.exponent;
      this.#rh = reduceByHalfPi(x.hi * unit, x.lo * unit);
      this.#rl = resultLow;
      this.#quadrant = quadrant;
      return;
    }
    const { quadrant: q, hi, lo } = reduceLarge((BigInt(x.high) << 32n | BigInt(x.low)) * BigInt(sign), x.exponent - 63);
    this.#rh = hi;
    this.#rl = lo;
    this.#quadrant = q;
  }

  #writeSine(i: number, x: Operand): void {
    if (x.isZero) { this.#stack.writeZero(i, x.negative); return; }
    if (x.exponent < TINY) { this.#writeNearly(i, x, -HAIR); return; }
    this.#writeQuadrant(i, this.#quadrant);
  }
  #writeCosine(i: number, x: Operand): void {
    if (x.isZero) { this.#stack.writePower(i, false, 0); return; }
    if (x.exponent < TINY) { this.#stack.writeRounded(i, 1, -HAIR, 0); return; }
    this.#writeQuadrant(i, this.#quadrant + 1);
  }
  /** sin(r + q π/2). */
  #writeQuadrant(i: number, q: number): void {
    const hi = (q & 1) === 0 ? sine(this.#rh, this.#rl) : cosine(this.#rh, this.#rl), lo = resultLow;
    if ((q & 2) === 0) this.#stack.writeRounded(i, hi, lo, 0);
    else this.#stack.writeRounded(i, -hi, -lo, 0);
  }
  #writeTangent(x: Operand): void {
    if (x.isZero) { this.#stack.writeZero(0, x.negative); return; }
    if (x.exponent < TINY) { this.#writeNearly(0, x, HAIR); return; }
    const sh = sine(this.#rh, this.#rl), sl = resultLow, ch = cosine(this.#rh, this.#rl), cl = resultLow;
    const hi = (this.#quadrant & 1) === 0 ? divide(sh, sl, ch, cl) : divide(-ch, -cl, sh, sl);
    this.#stack.writeRounded(0, hi, low, 0);
  }
  /** x * (1 + hair). */
  #writeNearly(i: number, x: Operand, hair: number): void {
    const sign = x.negative ? -1 : 1;
    this.#stack.writeRounded(i, sign * x.hi, sign * (x.lo + x.hi * hair), x.exponent);
  }

  // --- of two operands: result in ST(1), pop ---

  /** Common part: empty registers, NaNs, denormals. True: `special` and `compute` go on. */
  #binary(compute: (y: Operand, x: Operand) => void): void {
    const stack = this.#stack, x = this.#x, y = this.#y;
    stack.begin();
    if (stack.isEmpty(0) || stack.isEmpty(1)) { stack.raise(STATUS.IE | STATUS.SF); this.#invalid2(); return; }
    stack.read(0, x);
    stack.read(1, y);
    if (x.kind === KIND.unsupported || y.kind === KIND.unsupported) { stack.raise(STATUS.IE); this.#invalid2(); return; }
    if (x.isNaN || y.isNaN) {
      if (x.kind === KIND.signallingNaN || y.kind === KIND.signallingNaN) stack.raise(STATUS.IE);
      if (stack.isStopped()) return;
      stack.writeNaN(1, this.#chooseNaN(x, y));
      stack.pop();
      stack.finish();
      return;
    }
    compute(y, x);
  }
  #chooseNaN(x: Operand, y: Operand): Operand {
    if (!x.isNaN) return y;
    if (!y.isNaN) return x;
    if (x.kind !== y.kind) return x.kind === KIND.quietNaN ? x : y;
    if (x.high !== y.high) return x.high > y.high ? x : y;
    if (x.low !== y.low) return x.low > y.low ? x : y;
    return x.negative ? y : x;
  }
  #invalid2(): void {
    const stack = this.#stack;
    if (stack.isStopped()) return;
    stack.writeIndefinite(1);
    stack.pop();
    stack.finish();
  }
  /** Raises `flags` and denormals, then writes and pops unless forbidden. */
  #deliver2(flags: number, write: () => void): void {
    const stack = this.#stack;
    stack.raise(flags);
    if (flags === 0 && (this.#x.denormal || this.#y.denormal)) stack.raise(STATUS.DE);
    if (stack.isStopped()) return;
    write();
    stack.pop();
    stack.finish();
  }

  arctangent(): void {
    this.#binary((y, x) => {
      this.#deliver2(0, () => { this.#writeArctangent(y, x); });
    });
  }
  #writeArctangent(y: Operand, x: Operand): void {
    const stack = this.#stack, sign = y.negative ? -1 : 1;
    const angle = (value: readonly [number, number]): void => { stack.writeRounded(1, sign * value[0], sign * value[1], 0); };
    if (y.isZero || (x.isInfinite && !y.isInfinite)) {
      if (x.negative) angle(PI);
      else stack.writeZero(1, y.negative);
      return;
    }
    if (y.isInfinite) { angle(!x.isInfinite ? HALF_PI : x.negative ? THREE_QUARTER_PI : QUARTER_PI); return; }
    if (x.isZero) { angle(HALF_PI); return; }
    // |y| / |x| as q * 2^scale
    const qh = divide(y.hi, y.lo, x.hi, x.lo), ql = low, scale = y.exponent - x.exponent;
    if (scale > 70) { angle(HALF_PI); return; }
    if (scale < -70) {
      if (x.negative) angle(PI);
      else stack.writeRounded(1, sign * qh, sign * (ql - qh * HAIR), scale);
      return;
    }
    const unit = 2 ** scale, th = qh * unit, tl = ql * unit;
    let h: number, l: number;
    if (th <= 1) { h = arctangent(th, tl); l = resultLow; } else {
      const ih = divide(1, 0, th, tl), ah = arctangent(ih, low);
      h = add(HALF_PI[0], HALF_PI[1], -ah, -resultLow);
      l = low;
    }
    if (x.negative) { h = add(PI[0], PI[1], -h, -l); l = low; }
    stack.writeRounded(1, sign * h, sign * l, 0);
  }

  /** y log2 x. */
  logarithm(): void {
    const stack = this.#stack;
    this.#binary((y, x) => {
      const isOne = x.kind === KIND.finite && !x.negative && x.exponent === 0 && x.hi === 1 && x.lo === 0;
      if ((x.negative && !x.isZero) || (x.isZero && y.isZero) || (x.isInfinite && y.isZero) || (isOne && y.isInfinite)) { stack.raise(STATUS.IE); this.#invalid2(); return; }
      if (x.isZero) { this.#deliver2(y.isInfinite ? 0 : STATUS.ZE, () => { stack.writeInfinity(1, !y.negative); }); return; }
      const below = x.kind === KIND.finite && x.exponent < 0;
      this.#deliver2(0, () => {
        if (x.isInfinite || y.isInfinite) { stack.writeInfinity(1, y.negative !== below); return; }
        if (isOne || y.isZero) { stack.writeZero(1, y.negative !== below); return; }
        const lh = logarithm2(x.hi, x.lo, x.exponent);
        this.#writeProduct(y, lh, resultLow);
      });
    });
  }
  /** ST(1) = y * (lh + ll), exact only if the logarithm is an integer. */
  #writeProduct(y: Operand, lh: number, ll: number): void {
    const sign = y.negative ? -1 : 1, h = multiply(y.hi, y.lo, lh, ll);
    this.#stack.writeRounded(1, sign * h, sign * low, y.exponent);
  }

  /** y log2(x + 1). */
  logarithmPlus1(): void {
    const stack = this.#stack;
    this.#binary((y, x) => {
      // undefined from -1 down: processors hand back the operand
      if (x.negative && x.kind === KIND.finite && x.exponent >= 0) { this.#deliver2(0, () => { stack.raise(STATUS.PE); stack.copyTop(1); }); return; }
      if ((x.negative && x.isInfinite) || (x.isZero && y.isInfinite) || (x.isInfinite && y.isZero)) { stack.raise(STATUS.IE); this.#invalid2(); return; }
      this.#deliver2(0, () => {
        if (x.isInfinite || y.isInfinite) { stack.writeInfinity(1, y.negative !== x.negative); return; }
        if (x.isZero || y.isZero) { stack.writeZero(1, y.negative !== x.negative); return; }
        this.#writeLogarithmPlus1(y, x);
      });
    });
  }
  #writeLogarithmPlus1(y: Operand, x: Operand): void {
    const sign = x.negative ? -1 : 1;
    if (x.exponent < -70) {
      const h = multiply(x.hi, x.lo, LOG2_E[0], LOG2_E[1]), l = low, ph = multiply(h, l, y.hi, y.lo), pl = low, s = y.negative ? -sign : sign;
      this.#stack.writeRounded(1, s * ph, s * pl, x.exponent + y.exponent);
      return;
    }
    const unit = sign * 2 ** Math.min(x.exponent, 900), xh = x.hi * unit, xl = x.lo * unit;
    if (x.exponent < -6) { const h = logarithm2Plus1(xh, xl); this.#writeProduct(y, h, resultLow); return; }
    if (x.exponent > 60) { const h = logarithm2(x.hi, x.lo, x.exponent); this.#writeProduct(y, h, resultLow); return; }
    const sh = add(1, 0, xh, xl), sl = low, e = Math.floor(Math.log2(sh)), down = 2 ** -e, h = logarithm2(sh * down, sl * down, e);
    this.#writeProduct(y, h, resultLow);
  }

  /** 2^x - 1. */
  power(): void {
    const stack = this.#stack, x = this.#x;
    stack.begin();
    if (stack.isEmpty(0)) { stack.raise(STATUS.IE | STATUS.SF); this.#indefinite(false); return; }
    stack.read(0, x);
    if (x.kind === KIND.unsupported) { stack.raise(STATUS.IE); this.#indefinite(false); return; }
    if (x.kind === KIND.signallingNaN) stack.raise(STATUS.IE);
    if (x.denormal) stack.raise(STATUS.DE);
    if (stack.isStopped()) return;
    this.#writePower(x);
    stack.finish();
  }
  #writePower(x: Operand): void {
    const stack = this.#stack;
    if (x.isNaN) { stack.writeNaN(0, x); return; }
    if (x.isZero) { stack.writeZero(0, x.negative); return; }
    if (x.isInfinite) {
      if (x.negative) stack.writePower(0, true, 0);
      else stack.writeInfinity(0, false);
      return;
    }
    // outside -1 … 1 the result is undefined: as processors do, leave the operand
    if (x.exponent >= 0) {
      if (x.exponent === 0 && x.hi === 1 && x.lo === 0) stack.writePower(0, x.negative, x.negative ? -1 : 0);
      return;
    }
    const sign = x.negative ? -1 : 1;
    if (x.exponent < -70) {
      const h = multiply(x.hi, x.lo, LN2[0], LN2[1]);
      stack.writeRounded(0, sign * h, sign * low, x.exponent);
      return;
    }
    const unit = sign * 2 ** x.exponent, h = power2Less1(x.hi * unit, x.lo * unit);
    stack.writeRounded(0, h, resultLow, 0);
  }
}
