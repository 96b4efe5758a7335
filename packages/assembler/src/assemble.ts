import { decode, formatInstruction, Instruction } from '@vmm/decoder';
import { encodings } from './encode.ts';
import { AssemblyError, LineError, type Diagnostic } from './errors.ts';
import type { Scope } from './expression.ts';
import type { Value } from './match.ts';
import { meaningOf, similarMnemonics, type Meaning } from './mnemonics.ts';
import type { Operand } from './operands.ts';
import { Parser, type Action, type Mode, type Statement } from './program.ts';

export interface AssembleOptions {
  /** Address of the first byte; `org` in the source overrides. Default 0. */
  readonly org?: number | bigint;
  /** Code size at the start. Default 64. */
  readonly bits?: Mode;
  /** Names the source may use. */
  readonly symbols?: Readonly<Record<string, number | bigint>>;
}

export interface ListingLine {
  readonly line: number;
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
}

export interface Assembly {
  readonly bytes: Uint8Array;
  /** Address of the first byte. */
  readonly origin: bigint;
  /** Labels and equates by name; local labels as `parent.local`. */
  readonly symbols: ReadonlyMap<string, bigint>;
  readonly listing: readonly ListingLine[];
}

const MAX_PASSES = 40;
const MAX_BYTES = 64 * 1024 * 1024;

/** Assembles a source text into a flat binary. Throws AssemblyError, which names every faulty line. */
export function assemble(source: string, options: AssembleOptions = {}): Assembly {
  const diagnostics: Diagnostic[] = [];
  const statements = parse(source, options.bits ?? 64, diagnostics);
  if (diagnostics.length > 0) throw new AssemblyError(diagnostics);
  const layout = new Layout(statements, options);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    if (layout.run(false)) return layout.finish();
  }
  throw new AssemblyError([{
    line: statements[0]?.line ?? 1, text: '', message: `addresses do not settle in ${MAX_PASSES} passes`, hint: 'an expression depends on the size it decides',
  }]);
}

function parse(source: string, bits: Mode, diagnostics: Diagnostic[]): Statement[] {
  const parser = new Parser(bits);
  const statements: Statement[] = [];
  for (const [i, text] of source.split('\n').entries()) {
    try {
      const statement = parser.parseLine(text, i + 1);
      if (statement !== undefined) statements.push(statement);
    } catch (error) {
      diagnostics.push(diagnosticOf(error, i + 1, text.trim()));
    }
  }
  return statements;
}

function diagnosticOf(error: unknown, line: number, text: string): Diagnostic {
  if (error instanceof LineError) return { line, text, message: error.message, hint: error.hint };
  throw error;
}

interface Placed { readonly statement: Statement; readonly address: bigint; readonly bytes: number[] }

/** Places statements pass after pass until no address moves; instructions only grow, so that it ends. */
class Layout {
  readonly #statements: readonly Statement[];
  readonly #meanings = new Map<Statement, Meaning>();
  readonly #sizes = new Map<Statement, number>();
  readonly #given: ReadonlyMap<string, bigint>;
  readonly #origin: bigint;
  #symbols = new Map<string, bigint>();
  #placed: Placed[] = [];
  #diagnostics: Diagnostic[] = [];

  #address = 0n;
  #start = 0n;
  #isFinal = false;
  #parent = '';
  #hasUnknown = false;

  constructor(statements: readonly Statement[], options: AssembleOptions) {
    this.#statements = statements;
    this.#origin = BigInt(options.org ?? 0);
    this.#given = new Map(Object.entries(options.symbols ?? {}).map(([name, value]) => [name, BigInt(value)]));
  }

  /** True if nothing moved. */
  run(isFinal: boolean): boolean {
    const before = this.#symbols;
    const sizesBefore = new Map(this.#sizes);
    this.#isFinal = isFinal;
    this.#diagnostics = [];
    this.#placed = [];
    this.#symbols = new Map(before);
    this.#address = this.#origin;
    this.#start = this.#origin;
    const defined = new Set<string>(this.#given.keys());
    for (const statement of this.#statements) {
      try {
        this.#place(statement, defined);
      } catch (error) {
        this.#diagnostics.push(diagnosticOf(error, statement.line, statement.text));
      }
    }
    return same(before, this.#symbols) && same(sizesBefore, this.#sizes);
  }

  /** One more pass in which unknown names and illegal instructions count. */
  finish(): Assembly {
    this.run(true);
    if (this.#diagnostics.length > 0) throw new AssemblyError(this.#diagnostics);
    const listing = this.#placed.map((p) => ({ line: p.statement.line, address: p.address, bytes: Uint8Array.from(p.bytes), text: p.statement.text }));
    return { bytes: Uint8Array.from(this.#placed.flatMap((p) => p.bytes)), origin: this.#start, symbols: this.#symbols, listing };
  }

  #place(statement: Statement, defined: Set<string>): void {
    for (const label of statement.labels) this.#define(label, this.#address, defined);
    this.#parent = statement.parent;
    const { action } = statement;
    if (action.kind === 'equ') {
      const value = action.value(this.#scope(this.#address));
      if (value !== undefined) this.#define(action.name, value, defined);
      return;
    }
    if (action.kind === 'org') {
      this.#org(action.value(this.#scope(this.#address)), statement);
      return;
    }
    const address = this.#address;
    const bytes: number[] = [];
    const count = Number(statement.repeat?.(this.#scope(address)) ?? 1n);
    if (count < 0) throw new LineError(`times ${count}: the count is negative`, 'the code before it is longer than the space it should fill');
    for (let i = 0; i < count; i++) {
      const piece = this.#bytesOf(action, statement, address + BigInt(bytes.length));
      for (const byte of piece) bytes.push(byte);
      if (bytes.length > MAX_BYTES) throw new LineError('more than 64 MiB in one line');
    }
    this.#sizes.set(statement, bytes.length);
    this.#placed.push({ statement, address, bytes });
    this.#address += BigInt(bytes.length);
  }

  #define(name: string, value: bigint, defined: Set<string>): void {
    if (defined.has(name)) throw new LineError(`"${name}" is defined twice`);
    defined.add(name);
    this.#symbols.set(name, value);
  }

  /** The first org sets the origin; later ones fill the gap. */
  #org(value: bigint | undefined, statement: Statement): void {
    if (value === undefined) throw new LineError('org needs a value that is known here');
    if (this.#placed.every((p) => p.bytes.length === 0)) {
      this.#start = value;
      this.#address = value;
      return;
    }
    if (value < this.#address) throw new LineError(`org 0x${value.toString(16)} lies before the current address 0x${this.#address.toString(16)}`);
    this.#placed.push({ statement, address: this.#address, bytes: new Array<number>(Number(value - this.#address)).fill(0) });
    this.#address = value;
  }

  #scope(address: bigint): Scope {
    return {
      lookup: (name) => {
        if (name === '$') return address;
        if (name === '$$') return this.#start;
        const full = name.startsWith('.') ? this.#parent + name : name;
        const value = this.#symbols.get(full) ?? this.#given.get(full);
        if (value === undefined) {
          this.#hasUnknown = true;
          if (this.#isFinal) throw new LineError(`"${name}" is not defined`);
        }
        return value;
      },
    };
  }

  #bytesOf(action: Action, statement: Statement, address: bigint): number[] {
    const scope = this.#scope(address);
    switch (action.kind) {
      case 'data': return action.items.flatMap((item) => (typeof item === 'function' ? dataBytes(item(scope) ?? 0n, action.unitBytes) : [...item]));
      case 'reserve': return new Array<number>(Number(action.count(scope) ?? 0n) * action.unitBytes).fill(0);
      case 'align': {
        const to = action.to(scope) ?? 1n;
        if (to <= 0n || (to & (to - 1n)) !== 0n) throw new LineError(`align ${to}: not a power of two`);
        return new Array<number>(Number(-address & (to - 1n))).fill(Number(action.fill?.(scope) ?? 0x90n) & 0xff);
      }
      case 'instruction': return this.#instruction(action, statement, address, scope);
      default: return [];
    }
  }

  #instruction(action: Extract<Action, { kind: 'instruction' }>, statement: Statement, address: bigint, scope: Scope): number[] {
    const meaning = this.#meaningOf(action, statement);
    const values: Value[] = impliedOperands(action, action.operands.map((operand) => this.#evaluate(operand, scope)));
    if (meaning.predicate !== undefined) values.push({ kind: 'immediate', sizeBytes: 0, distance: '', value: BigInt(meaning.predicate), known: true });
    const context = { mode: statement.mode, address, prefixes: action.prefixes, opSize: action.opSize, addrSize: action.addrSize };
    const found = encodings(meaning, values, context);
    // Never shrink: else a branch and its target may chase each other for ever.
    const least = this.#sizes.get(statement) ?? 0;
    const bytes = (statement.repeat === undefined ? found.find((b) => b.length >= least) : undefined) ?? found[0] ?? [];
    if (this.#isFinal) checkLegal(bytes.slice(meaning.before.length), statement.mode);
    return bytes;
  }

  #meaningOf(action: Extract<Action, { kind: 'instruction' }>, statement: Statement): Meaning {
    let meaning = this.#meanings.get(statement);
    if (meaning === undefined) {
      meaning = meaningOf(action.mnemonic, action.far, action.operands.length > 0);
      if (meaning === undefined) {
        const similar = similarMnemonics(action.mnemonic);
        throw new LineError(`unknown instruction "${action.mnemonic}"`, similar.length === 0 ? '' : `did you mean ${similar.join(', ')}?`);
      }
      this.#meanings.set(statement, meaning);
    }
    return meaning;
  }

  #evaluate(operand: Operand, scope: Scope): Value {
    switch (operand.kind) {
      case 'register': return operand;
      case 'memory': return { ...operand, displacement: operand.displacement(scope) ?? 0n };
      case 'far': return { kind: 'far', sizeBytes: operand.sizeBytes, selector: operand.selector(scope) ?? 0n, offset: operand.offset(scope) ?? 0n };
      case 'immediate': {
        this.#hasUnknown = false;
        const value = operand.value(scope);
        // A forward reference counts as this very place: branches start short, immediates small, and both grow.
        return { kind: 'immediate', sizeBytes: operand.sizeBytes, distance: operand.distance, value: value ?? scope.lookup('$') ?? 0n, known: value !== undefined };
      }
    }
  }
}

const POPPING = /^f(add|mul|subr?|divr?)p$/;
const SECOND_STACK_REGISTER = /^f(xch|u?comp?)$/;

/** Operands that people leave out: `faddp`, `fxch`, `imul eax, 5`. */
function impliedOperands(action: Extract<Action, { kind: 'instruction' }>, values: Value[]): Value[] {
  const name = action.mnemonic.toLowerCase();
  const st = (number: number): Value => ({ kind: 'register', register: { kind: 'st', number, sizeBytes: 10 } });
  if (values.length === 0 && POPPING.test(name)) return [st(1), st(0)];
  if (values.length === 0 && SECOND_STACK_REGISTER.test(name)) return [st(1)];
  const [first, second] = values;
  if (name === 'imul' && values.length === 2 && first !== undefined && second?.kind === 'immediate') return [first, first, second];
  return values;
}

function dataBytes(value: bigint, sizeBytes: number): number[] {
  const bits = BigInt(sizeBytes * 8);
  if (value < -(1n << (bits - 1n)) || value >= 1n << bits) throw new LineError(`${value} does not fit ${sizeBytes} byte${sizeBytes === 1 ? '' : 's'}`);
  return Array.from({ length: sizeBytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function same(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

const checked = new Instruction();

/** The decoder has the last word: LOCK on the wrong instruction, more than 15 bytes. */
function checkLegal(bytes: readonly number[], mode: Mode): void {
  const length = decode(Uint8Array.from(bytes), 0, bytes.length, mode, checked);
  if (length === bytes.length) return;
  const shown = bytes.map((b) => b.toString(16).padStart(2, '0')).join(' ');
  if (bytes.includes(0xf0)) throw new LineError(`LOCK is not allowed here (${shown})`, 'LOCK needs a read-modify-write instruction with a memory destination');
  throw new LineError(`not a legal instruction: ${shown}${length > 0 ? ` decodes as ${formatInstruction(checked)}` : ''}`);
}
