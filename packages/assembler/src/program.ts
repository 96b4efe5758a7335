import { LineError } from './errors.ts';
import { parseExpression, type Expression } from './expression.ts';
import { parseOperand, type Operand } from './operands.ts';
import { registerNamed } from './registers.ts';
import { tokenize, Tokens, type Token } from './tokens.ts';

export type Mode = 16 | 32 | 64;

/** One thing to place, of one source line. A line with a label and an instruction gives one. */
export interface Statement {
  readonly line: number;
  readonly text: string;
  /** Full names, local ones with their parent: `start.loop`. */
  readonly labels: readonly string[];
  /** The last non-local label: what `.name` belongs to. */
  readonly parent: string;
  readonly mode: Mode;
  readonly repeat: Expression | undefined;
  readonly action: Action;
}

export type Action =
  | { readonly kind: 'none' }
  | { readonly kind: 'equ'; readonly name: string; readonly value: Expression }
  | { readonly kind: 'org'; readonly value: Expression }
  | { readonly kind: 'align'; readonly to: Expression; readonly fill: Expression | undefined }
  | { readonly kind: 'data'; readonly unitBytes: number; readonly items: readonly (Expression | readonly number[])[] }
  | { readonly kind: 'reserve'; readonly unitBytes: number; readonly count: Expression }
  | {
    readonly kind: 'instruction'; readonly mnemonic: string; readonly operands: readonly Operand[]; readonly prefixes: readonly number[];
    readonly opSize: number; readonly addrSize: number; readonly far: boolean;
  };

const DATA: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4, dq: 8 };
const RESERVE: Readonly<Record<string, number>> = { resb: 1, resw: 2, resd: 4, resq: 8 };
const PREFIX_BYTES: Readonly<Record<string, number>> = {
  lock: 0xf0, rep: 0xf3, repe: 0xf3, repz: 0xf3, repne: 0xf2, repnz: 0xf2, xacquire: 0xf2, xrelease: 0xf3, bnd: 0xf2, notrack: 0x3e,
};
const SIZE_PREFIXES: Readonly<Record<string, readonly ['op' | 'addr', number]>> = {
  o16: ['op', 2], o32: ['op', 4], o64: ['op', 8], a16: ['addr', 2], a32: ['addr', 4], a64: ['addr', 8],
};

/** Reads source text line by line; state that later lines inherit: mode, parent label, default addressing. */
export class Parser {
  mode: Mode;
  #parent = '';
  #defaultRelative = false;

  constructor(mode: Mode) {
    this.mode = mode;
  }

  parseLine(text: string, line: number): Statement | undefined {
    const tokens = new Tokens(tokenize(text));
    const labels = this.#labels(tokens);
    const start = { line, text: text.trim(), labels, parent: this.#parent, mode: this.mode };
    if (tokens.done) return labels.length === 0 ? undefined : { ...start, repeat: undefined, action: { kind: 'none' } };
    const repeat = tokens.accept('times') ? parseExpression(tokens) : undefined;
    const action = this.#action(tokens);
    tokens.finish();
    return { ...start, parent: this.#parent, mode: this.mode, repeat, action };
  }

  #labels(tokens: Tokens): string[] {
    const labels: string[] = [];
    for (;;) {
      const name = tokens.peek();
      const next = tokens.peek(1);
      if (name?.kind !== 'word' || next === undefined) return labels;
      const isData = next.kind === 'word' && (next.text.toLowerCase() in DATA || next.text.toLowerCase() in RESERVE);
      if (next.text === ':' && registerNamed(name.text) !== undefined) throw new LineError(`${name.text} is a register and cannot be a label`);
      if (next.text !== ':' && !isData) return labels;
      tokens.take();
      if (next.text === ':') tokens.take();
      labels.push(this.#define(name));
    }
  }

  #define(name: Token): string {
    if (name.text.startsWith('.')) {
      if (this.#parent === '') throw new LineError(`local label ${name.text} stands before any other label`);
      return this.#parent + name.text;
    }
    this.#parent = name.text;
    return name.text;
  }

  #action(tokens: Tokens): Action {
    if (tokens.accept('[')) {
      const action = this.#action(tokens);
      tokens.expect(']');
      return action;
    }
    const word = tokens.take();
    if (word.kind !== 'word') throw new LineError(`expected an instruction, found "${word.text}"`);
    if (tokens.peek()?.text.toLowerCase() === 'equ' || tokens.peek()?.text === '=') {
      tokens.take();
      return { kind: 'equ', name: word.text.startsWith('.') ? this.#parent + word.text : word.text, value: parseExpression(tokens) };
    }
    return this.#directive(word.text.toLowerCase(), tokens) ?? this.#instruction(word.text, tokens);
  }

  #directive(word: string, tokens: Tokens): Action | undefined {
    const unit = DATA[word];
    if (unit !== undefined) return { kind: 'data', unitBytes: unit, items: dataItems(tokens, unit) };
    const reserve = RESERVE[word];
    if (reserve !== undefined) return { kind: 'reserve', unitBytes: reserve, count: parseExpression(tokens) };
    const mode = modeOf(word, tokens);
    if (mode !== undefined) {
      this.mode = mode;
      return { kind: 'none' };
    }
    switch (word) {
      case 'org': case '.org': return { kind: 'org', value: parseExpression(tokens) };
      case 'align': case '.align': {
        const to = parseExpression(tokens);
        tokens.accept(',');
        return { kind: 'align', to, fill: tokens.done ? undefined : parseExpression(tokens) };
      }
      case 'default':
        this.#defaultRelative = tokens.accept('rel');
        if (!this.#defaultRelative) tokens.expect('abs');
        return { kind: 'none' };
      case 'global': case 'section': case 'extern':
        throw new LineError(`"${word}" needs a linker; this assembler writes flat binaries`, 'leave the line out, and place code with org');
      default: return undefined;
    }
  }

  #instruction(first: string, tokens: Tokens): Action {
    const prefixes: number[] = [];
    let opSize = 0;
    let addrSize = 0;
    let word = first;
    for (;;) {
      const lower = word.toLowerCase();
      const byte = PREFIX_BYTES[lower];
      const size = SIZE_PREFIXES[lower];
      if (byte === undefined && size === undefined) break;
      if (byte !== undefined) prefixes.push(byte);
      else if (size?.[0] === 'op') opSize = size[1];
      else addrSize = size?.[1] ?? 0;
      if (tokens.done) throw new LineError(`${lower} without an instruction`);
      word = tokens.take().text;
    }
    const operands: Operand[] = [];
    if (!tokens.done) {
      do operands.push(parseOperand(tokens, this.#defaultRelative && this.mode === 64));
      while (tokens.accept(','));
    }
    const [operand] = operands;
    const far = operand?.kind === 'far' || (operand?.kind === 'memory' && operand.far);
    return { kind: 'instruction', mnemonic: word, operands, prefixes, opSize, addrSize, far };
  }
}

function modeOf(word: string, tokens: Tokens): Mode | undefined {
  const match = /^(?:\.code|use)(16|32|64)$/.exec(word);
  const digits = match?.[1] ?? (word === 'bits' ? tokens.take().text : undefined);
  if (digits === undefined) return undefined;
  const mode = Number(digits);
  if (mode !== 16 && mode !== 32 && mode !== 64) throw new LineError(`bits ${digits} is not a code size`, 'bits 16, bits 32 or bits 64');
  return mode;
}

function dataItems(tokens: Tokens, unitBytes: number): (Expression | readonly number[])[] {
  const items: (Expression | readonly number[])[] = [];
  do {
    const token = tokens.peek();
    const after = tokens.peek(1);
    if (token?.kind === 'string' && (after === undefined || after.text === ',')) {
      tokens.take();
      // A string fills whole units.
      const padding = (unitBytes - (token.bytes.length % unitBytes)) % unitBytes;
      items.push([...token.bytes, ...new Array<number>(padding).fill(0)]);
    } else {
      items.push(parseExpression(tokens));
    }
  } while (tokens.accept(','));
  return items;
}
