import { LineError } from './errors.ts';

export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'sign';
  readonly text: string;
  /** Numbers and strings (characters as bytes, little endian). */
  readonly value: bigint;
  /** Bytes of a string. */
  readonly bytes: readonly number[];
  /** Followed by white space: tells `[a -1]` and labels apart nowhere, but keeps messages readable. */
  readonly at: number;
}

const WORD = /[A-Za-z_.?@$%][A-Za-z0-9_.?@$#~]*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9a-fA-F_]*[hH]|[01][01_]*[bB]|[0-9][0-9_]*)(?![A-Za-z0-9_])/y;
const SIGN = /<<|>>|[-+*/%&|^~()[\],:!=]/y;
const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, 0: 0, e: 27, '\\': 92, '`': 96, '"': 34, "'": 39 };

/** Splits a line; a comment starts with `;` outside quotes. */
export function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < line.length) {
    const c = line.charAt(at);
    if (c === ' ' || c === '\t' || c === '\r') {
      at++;
    } else if (c === ';') {
      break;
    } else if (c === '"' || c === "'" || c === '`') {
      const { token, end } = readString(line, at);
      tokens.push(token);
      at = end;
    } else {
      const token = match(line, at);
      tokens.push(token);
      at += token.text.length;
    }
  }
  return tokens;
}

function match(line: string, at: number): Token {
  for (const [kind, pattern] of [['number', NUMBER], ['word', WORD], ['sign', SIGN]] as const) {
    pattern.lastIndex = at;
    const text = pattern.exec(line)?.[0];
    if (text !== undefined) return { kind, text, value: kind === 'number' ? parseNumber(text) : 0n, bytes: [], at };
  }
  throw new LineError(`cannot read "${line.slice(at, at + 8)}"`, 'numbers are 12, 0x1f, 1fh, 0b101 or 101b; strings stand in quotes; comments start with ;');
}

function parseNumber(text: string): bigint {
  const digits = text.replaceAll('_', '').toLowerCase();
  if (digits.startsWith('0x')) return BigInt(digits);
  if (digits.endsWith('h')) return BigInt(`0x${digits.slice(0, -1)}`);
  if (digits.startsWith('0b')) return BigInt(digits);
  if (digits.endsWith('b')) return BigInt(`0b${digits.slice(0, -1)}`);
  return BigInt(digits);
}

function readString(line: string, start: number): { token: Token; end: number } {
  const quote = line.charAt(start);
  const bytes: number[] = [];
  let at = start + 1;
  for (; at < line.length && line.charAt(at) !== quote; at++) {
    const c = line.charAt(at);
    if (quote === '`' && c === '\\') {
      at++;
      const escaped = ESCAPES[line.charAt(at)];
      if (escaped === undefined) throw new LineError(`unknown escape \\${line.charAt(at)}`, 'escapes in back quotes: \\n \\r \\t \\0 \\e \\\\');
      bytes.push(escaped);
    } else {
      bytes.push(...new TextEncoder().encode(c));
    }
  }
  if (at >= line.length) throw new LineError(`string without its closing ${quote}`);
  let value = 0n;
  for (const [i, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * i);
  return { token: { kind: 'string', text: line.slice(start, at + 1), value, bytes, at: start }, end: at + 1 };
}

/** A cursor over the tokens of a line. */
export class Tokens {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#next + ahead];
  }

  take(): Token {
    const token = this.#tokens[this.#next];
    if (token === undefined) throw new LineError('the line ends too early');
    this.#next++;
    return token;
  }

  /** Takes the sign or word if it comes next. Words compare without case. */
  accept(text: string): boolean {
    const token = this.peek();
    if (token === undefined || token.kind === 'string' || token.text.toLowerCase() !== text) return false;
    this.#next++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw new LineError(`expected "${text}", found ${this.#found()}`);
  }

  get done(): boolean {
    return this.#next >= this.#tokens.length;
  }

  finish(): void {
    if (!this.done) throw new LineError(`unexpected ${this.#found()}`);
  }

  #found(): string {
    const token = this.peek();
    return token === undefined ? 'the end of the line' : `"${token.text}"`;
  }

  /** Position to come back to. */
  mark(): number {
    return this.#next;
  }

  reset(mark: number): void {
    this.#next = mark;
  }
}
