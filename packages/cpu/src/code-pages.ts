/* @hot: a store to a page with code comes here. */

/** Something made from code bytes that dies when they change. */
export interface CodeUnit {
  /** Whether a store to this range changes it. */
  overlaps(host: number, size: number): boolean;
  kill(): void;
}

interface CodePage {
  /** With the numbers of their lines. */
  readonly units: Map<CodeUnit, readonly number[]>;
  /** Those that a store to a line may change; replaced, not changed in place: units leave while stores go through them. */
  readonly lines: (readonly CodeUnit[])[];
}

const PAGE = 4096, LINE = 64;
const NONE: readonly CodeUnit[] = [];

/** Adds the lines of a range that a unit is in. */
function collectLines(unit: CodeUnit, from: number, size: number, lines: number[]): void {
  if (!unit.overlaps(from, size)) return;
  if (size === LINE) { lines.push(from % PAGE / LINE); return; }
  collectLines(unit, from, size / 2, lines);
  collectLines(unit, from + size / 2, size / 2, lines);
}

/** Units by the page and the lines that their bytes are in: a store asks only those that it may change, most often none. */
export class CodePages {
  readonly #pages = new Map<number, CodePage>();
  readonly #protect: (host: number) => void;
  readonly #unprotect: (host: number) => void;

  /** `protect`, `unprotect`: are told of a page's first unit, and that its last one is gone. */
  constructor(protect: (host: number) => void, unprotect: (host: number) => void) {
    this.#protect = protect;
    this.#unprotect = unprotect;
  }

  /** The unit has bytes in the page of a host address. */
  enter(host: number, unit: CodeUnit): void {
    const number = Math.floor(host / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) this.#pages.set(number, page = { units: new Map(), lines: new Array<readonly CodeUnit[]>(PAGE / LINE).fill(NONE) });
    if (page.units.size === 0) this.#protect(host);
    if (page.units.has(unit)) return;
    const lines: number[] = [];
    collectLines(unit, number * PAGE, PAGE, lines);
    page.units.set(unit, lines);
    for (const line of lines) page.lines[line] = [...page.lines[line]!, unit];
  }

  leave(host: number, unit: CodeUnit): void {
    const number = Math.floor(host / PAGE), page = this.#pages.get(number), lines = page?.units.get(unit);
    if (page === undefined || lines === undefined) return;
    page.units.delete(unit);
    for (const line of lines) page.lines[line] = page.lines[line]!.filter((other) => other !== unit);
    // the page stays known: code that keeps being overwritten comes back to it
    if (page.units.size === 0) this.#unprotect(number * PAGE);
  }

  /** Bytes are about to be written: units made of them die. */
  written(host: number, size: number): void {
    const end = host + size;
    for (let at = host - host % LINE; at < end; at += LINE) {
      const page = this.#pages.get(Math.floor(at / PAGE));
      if (page !== undefined) for (const unit of page.lines[at % PAGE / LINE]!) if (unit.overlaps(host, size)) unit.kill();
    }
  }

  killAll(): void { for (const { units } of [...this.#pages.values()]) for (const unit of [...units.keys()]) unit.kill(); }
}
