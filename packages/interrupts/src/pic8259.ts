import { PIC } from '@vmm/spec';

/** State of one chip as plain data. */
export interface PicState {
  irr: number;
  isr: number;
  imr: number;
  /** Input levels; an edge is a change from this. */
  levels: number;
  /** Edge/level control register: one bit per input that is level triggered. */
  elcr: number;
  vectorBase: number;
  /** Input with the highest priority. */
  highest: number;
  /** Which ICW is expected at the data port: 0 none, 2, 3 or 4. */
  expected: number;
  needsIcw4: boolean;
  isSingle: boolean;
  isLevelMode: boolean;
  isAutoEoi: boolean;
  rotatesOnAutoEoi: boolean;
  isSpecialMask: boolean;
  isFullyNested: boolean;
  readsIsr: boolean;
  isPolling: boolean;
}

const NONE = 8;
const CASCADE_INPUT = 2;

/** The datasheet leaves power-on undefined; masked, a chip that nobody has initialized stays quiet. */
function powerOnState(): PicState {
  return {
    irr: 0, isr: 0, imr: 0xff, levels: 0, elcr: 0, vectorBase: 0, highest: 0, expected: 0, needsIcw4: false, isSingle: false,
    isLevelMode: false, isAutoEoi: false, rotatesOnAutoEoi: false, isSpecialMask: false, isFullyNested: false,
    readsIsr: false, isPolling: false,
  };
}

export interface Pic8259Options {
  /** The chip's INT output. */
  readonly onOutput: (level: boolean) => void;
  /** The master: its input 2 carries the slave. */
  readonly isMaster: boolean;
  /** Inputs that ELCR may make level triggered. */
  readonly elcrMask: number;
}

/**
 * One 8259A. Edges are latched in IRR until they are acknowledged, as in the chips that replaced it (a pulse shorter
 * than the vCPU's reaction is not lost); the cascade input follows its line.
 */
export class Pic8259 {
  readonly #options: Pic8259Options;
  #state = powerOnState();
  #output = false;

  constructor(options: Pic8259Options) {
    this.#options = options;
  }

  get output(): boolean {
    return this.#output;
  }

  get elcr(): number {
    return this.#state.elcr;
  }

  set elcr(value: number) {
    this.#state.elcr = value & this.#options.elcrMask;
    this.#update();
  }

  setInput(input: number, level: boolean): void {
    const s = this.#state;
    const bit = 1 << input;
    const rises = level && (s.levels & bit) === 0;
    s.levels = level ? s.levels | bit : s.levels & ~bit;
    if (this.#follows(bit)) s.irr = level ? s.irr | bit : s.irr & ~bit;
    else if (rises) s.irr |= bit;
    this.#update();
  }

  /** Input to serve, or -1: requested, not masked, above everything in service. */
  pendingInput(): number {
    const s = this.#state;
    const requested = this.#rank(s.irr & ~s.imr);
    if (requested === NONE) return -1;
    let inService = s.isr;
    if (s.isSpecialMask) inService &= ~s.imr;
    if (s.isFullyNested && this.#options.isMaster) inService &= ~(1 << CASCADE_INPUT);
    return requested < this.#rank(inService) ? (requested + s.highest) & 7 : -1;
  }

  /** First INTA pulse: moves the request into service. Answers the input; 7 when it has gone away (spurious). */
  acknowledge(): number {
    const s = this.#state;
    const input = this.pendingInput();
    if (input < 0) return 7;
    const bit = 1 << input;
    if (!this.#follows(bit)) s.irr &= ~bit;
    if (!s.isAutoEoi) s.isr |= bit;
    else if (s.rotatesOnAutoEoi) s.highest = (input + 1) & 7;
    this.#update();
    return input;
  }

  vector(input: number): number {
    return this.#state.vectorBase | input;
  }

  readCommand(): number {
    if (this.#state.isPolling) return this.#poll();
    return this.#state.readsIsr ? this.#state.isr : this.#state.irr;
  }

  readData(): number {
    return this.#state.isPolling ? this.#poll() : this.#state.imr;
  }

  writeCommand(value: number): void {
    if ((value & PIC.ICW1_INIT) !== 0) this.#initialize(value);
    else if ((value & PIC.OCW3_SELECT) !== 0) this.#operate3(value);
    else this.#operate2(value);
    this.#update();
  }

  writeData(value: number): void {
    const s = this.#state;
    if (s.expected === 0) {
      s.imr = value;
    } else if (s.expected === 2) {
      s.vectorBase = value & 0xf8;
      s.expected = s.isSingle ? this.#icw4() : 3;
    } else if (s.expected === 3) {
      s.expected = this.#icw4();
    } else {
      s.isAutoEoi = (value & PIC.ICW4_AUTO_EOI) !== 0;
      s.isFullyNested = (value & PIC.ICW4_SPECIAL_FULLY_NESTED) !== 0;
      s.expected = 0;
    }
    this.#update();
  }

  reset(): void {
    this.#state = { ...powerOnState(), levels: this.#state.levels };
    this.#update();
  }

  save(): PicState {
    return { ...this.#state };
  }

  restore(state: PicState): void {
    this.#state = { ...state };
    this.#update();
  }

  #icw4(): number {
    return this.#state.needsIcw4 ? 4 : 0;
  }

  #follows(bit: number): boolean {
    const isCascade = this.#options.isMaster && bit === 1 << CASCADE_INPUT;
    return this.#state.isLevelMode || isCascade || (this.#state.elcr & bit) !== 0;
  }

  #initialize(value: number): void {
    const s = this.#state;
    const isLevelMode = (value & PIC.ICW1_LEVEL) !== 0;
    const { levels, elcr, vectorBase } = s;
    this.#state = {
      ...powerOnState(), levels, elcr, vectorBase, isLevelMode,
      imr: 0,
      expected: 2,
      needsIcw4: (value & PIC.ICW1_ICW4_NEEDED) !== 0,
      isSingle: (value & PIC.ICW1_SINGLE) !== 0,
    };
    for (let bit = 1; bit < 0x100; bit <<= 1) if (this.#follows(bit)) this.#state.irr |= levels & bit;
  }

  #operate2(value: number): void {
    const s = this.#state;
    const isRotating = (value & PIC.OCW2_ROTATE) !== 0;
    const isSpecific = (value & PIC.OCW2_SPECIFIC) !== 0;
    const level = value & PIC.OCW2_LEVEL_MASK;
    if ((value & PIC.OCW2_EOI) !== 0) this.#endOfInterrupt(isSpecific ? level : this.#inService(), isRotating);
    else if (!isSpecific) s.rotatesOnAutoEoi = isRotating;
    else if (isRotating) s.highest = (level + 1) & 7;
  }

  #endOfInterrupt(input: number, isRotating: boolean): void {
    if (input < 0) return;
    this.#state.isr &= ~(1 << input);
    if (isRotating) this.#state.highest = (input + 1) & 7;
  }

  /** What a non-specific EOI ends; in special mask mode it leaves masked inputs alone. */
  #inService(): number {
    const s = this.#state;
    const rank = this.#rank(s.isSpecialMask ? s.isr & ~s.imr : s.isr);
    return rank === NONE ? -1 : (rank + s.highest) & 7;
  }

  #operate3(value: number): void {
    const s = this.#state;
    if ((value & PIC.OCW3_POLL) !== 0) s.isPolling = true;
    else if ((value & PIC.OCW3_READ_REGISTER) !== 0) s.readsIsr = (value & PIC.OCW3_READ_ISR) !== 0;
    if ((value & PIC.OCW3_SPECIAL_MASK_ENABLE) !== 0) s.isSpecialMask = (value & PIC.OCW3_SPECIAL_MASK) !== 0;
  }

  #poll(): number {
    this.#state.isPolling = false;
    if (this.pendingInput() < 0) return 0;
    return 0x80 | this.acknowledge();
  }

  /** Distance from the highest priority to the first bit of the set, or NONE. */
  #rank(set: number): number {
    if (set === 0) return NONE;
    const highest = this.#state.highest;
    const rotated = ((set >> highest) | (set << (8 - highest))) & 0xff;
    return 31 - Math.clz32(rotated & -rotated);
  }

  #update(): void {
    const output = this.pendingInput() >= 0;
    if (output === this.#output) return;
    this.#output = output;
    this.#options.onOutput(output);
  }
}
