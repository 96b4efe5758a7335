/** @hot */
import { MMU_INDEX, STATE } from '@vmm/state';
import { ATTRIBUTE, GPR, SEG, VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { isCode64 } from './mode.ts';

/**
 * A stack being pushed to or popped from while an event or far transfer is still undecided: RSP and SS change only when the caller commits.
 * One lives in each Cpu and is opened again for each use. A failed push or pop has recorded #SS or #PF.
 */
export class StackCursor {
  readonly #cpu: Cpu;
  /** The stack pointer so far; above the mask it keeps what the register held. */
  lo = 0;
  hi = 0;
  /** What the last pop read. */
  valueLo = 0;
  valueHi = 0;
  #base = 0;
  #mask = 0;
  #limit = 0;
  #isExpandDown = false;
  #isLong = false;
  #asSystem = false;
  #errorCode = 0;

  constructor(cpu: Cpu) { this.#cpu = cpu; }

  /** The stack in use, with the privilege in use. */
  openCurrent(): void {
    const state = this.#cpu.state;
    this.lo = state.word(STATE.gpr + 8 * GPR.RSP);
    this.hi = state.word(STATE.gpr + 8 * GPR.RSP + 4);
    this.#asSystem = false;
    this.#errorCode = 0;
    this.#isLong = isCode64(state);
    if (!this.#isLong) this.#describe(state.word(STATE.segmentBase + 8 * SEG.SS), state.word(STATE.segmentLimit + 4 * SEG.SS), state.word(STATE.segmentAttributes + 4 * SEG.SS));
  }

  /** The stack in use as a 64-bit handler will see it (an interrupt out of compatibility mode). */
  openCurrentLong(): void {
    const state = this.#cpu.state;
    this.openLong(state.word(STATE.gpr + 8 * GPR.RSP), isCode64(state) ? state.word(STATE.gpr + 8 * GPR.RSP + 4) : 0, false);
  }

  openLong(lo: number, hi: number, asSystem: boolean): void {
    this.lo = lo;
    this.hi = hi;
    this.#isLong = true;
    this.#asSystem = asSystem;
    this.#errorCode = 0;
  }

  /** An inner stack from the TSS, described by the descriptor words of its segment. */
  openInner(esp: number, base: number, limit: number, attributes: number, errorCode: number): void {
    this.lo = esp;
    this.hi = 0;
    this.#isLong = false;
    this.#asSystem = true;
    this.#errorCode = errorCode;
    this.#describe(base, limit, attributes);
  }

  #describe(base: number, limit: number, attributes: number): void {
    this.#base = base;
    this.#limit = limit >>> 0;
    this.#mask = attributes & ATTRIBUTE.DB ? 0xffff_ffff : 0xffff;
    this.#isExpandDown = (attributes & (ATTRIBUTE.EXPAND_DOWN | ATTRIBUTE.CODE)) === ATTRIBUTE.EXPAND_DOWN;
  }

  #fits(offset: number, size: number): boolean {
    const last = offset + size - 1;
    return this.#isExpandDown ? offset > this.#limit && last <= this.#mask : last <= this.#limit;
  }

  #fail(): false {
    this.#cpu.raise(VECTOR.SS, this.#errorCode);
    return false;
  }

  push16(value: number): boolean {
    if (!this.#lower(2)) return false;
    const mmu = this.#cpu.mmu, at = this.#address();
    this.#watch(at, this.#addressHigh(), 2, 1);
    return this.#asSystem ? mmu.writeSystem16(at, this.#addressHigh(), value) : mmu.write16(at, this.#addressHigh(), value);
  }

  push32(value: number): boolean {
    if (!this.#lower(4)) return false;
    return this.#write32(this.#address(), this.#addressHigh(), value);
  }

  push64(lo: number, hi: number): boolean {
    if (!this.#lower(8)) return false;
    const at = this.lo, high = this.hi;
    if (this.#isMisaligned(at)) return this.#cpu.fail(VECTOR.AC, 0);
    const next = at + 4 | 0;
    return this.#write32(next, next === 0 ? high + 1 | 0 : high, hi) && this.#write32(at, high, lo);
  }

  /** Pushes with the operand size 2, 4 or 8. */
  push(size: number, lo: number, hi = 0): boolean {
    if (size === 4) return this.push32(lo);
    return size === 8 ? this.push64(lo, hi) : this.push16(lo);
  }

  /** Pops 2, 4 or 8 bytes into `valueLo`, `valueHi`. */
  pop(size: number): boolean {
    const mmu = this.#cpu.mmu;
    const at = this.#address(), high = this.#addressHigh();
    if (this.#isLong ? !this.#cpu.isCanonical(this.hi) : !this.#fits((this.lo & this.#mask) >>> 0, size)) return this.#fail();
    if (size === 8 && this.#isMisaligned(at)) return this.#cpu.fail(VECTOR.AC, 0);
    this.valueHi = 0;
    this.#watch(at, high, size, 0);
    if (size === 2) this.valueLo = this.#asSystem ? mmu.readSystem16(at, high) : mmu.read16(at, high);
    else {
      this.valueLo = (this.#asSystem ? mmu.readSystem32(at, high) : mmu.read32(at, high)) | 0;
      if (size === 8 && !mmu.faulted) {
        const next = at + 4 | 0;
        const nextHigh = next === 0 ? high + 1 | 0 : high;
        this.valueHi = (this.#asSystem ? mmu.readSystem32(next, nextHigh) : mmu.read32(next, nextHigh)) | 0;
      }
    }
    if (mmu.faulted) return false;
    this.skip(size);
    return true;
  }

  /** Eight bytes are accessed in halves, which the MMU finds aligned. */
  #isMisaligned(at: number): boolean { return (at & 4) !== 0 && !this.#asSystem && (this.#cpu.state.word(STATE.tlbTag) & 3) === MMU_INDEX.userAligned; }

  /** Moves the pointer up without reading. */
  skip(bytes: number): void {
    if (this.#isLong) this.#add(bytes);
    else this.lo = this.#mask === 0xffff ? this.lo & ~0xffff | this.lo + bytes & 0xffff : this.lo + bytes | 0;
  }

  /** Writes the pointer to RSP; a 16-bit stack leaves the upper bits. */
  commit(): void {
    this.#cpu.state.setPair(STATE.gpr + 8 * GPR.RSP, this.lo, this.hi);
  }

  #lower(size: number): boolean {
    if (this.#isLong) {
      this.#add(-size);
      return this.#cpu.isCanonical(this.hi) || this.#fail();
    }
    const offset = (this.lo - size & this.#mask) >>> 0;
    if (!this.#fits(offset, size)) return this.#fail();
    this.lo = this.#mask === 0xffff ? this.lo & ~0xffff | offset : offset | 0;
    return true;
  }

  #add(bytes: number): void {
    const before = this.lo >>> 0;
    const sum = before + bytes;
    this.lo = sum | 0;
    if (sum > 0xffff_ffff) this.hi = this.hi + 1 | 0;
    else if (sum < 0) this.hi = this.hi - 1 | 0;
  }

  /** Data breakpoints see these accesses too. */
  #watch(lo: number, hi: number, size: number, kind: number): void { if (this.#cpu.watchesData) this.#cpu.noteAccess(lo, hi, size, kind); }
  #address(): number { return this.#isLong ? this.lo : this.#base + (this.lo & this.#mask) | 0; }
  #addressHigh(): number { return this.#isLong ? this.hi : 0; }

  #write32(lo: number, hi: number, value: number): boolean {
    const mmu = this.#cpu.mmu;
    this.#watch(lo, hi, 4, 1);
    return this.#asSystem ? mmu.writeSystem32(lo, hi, value) : mmu.write32(lo, hi, value);
  }
}
