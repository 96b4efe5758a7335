import { LineError } from './errors.ts';
import { parseExpression, type Expression } from './expression.ts';
import { registerNamed, type Register } from './registers.ts';
import type { Tokens } from './tokens.ts';

export interface RegisterOperand { readonly kind: 'register'; readonly register: Register }

export interface MemoryOperand {
  readonly kind: 'memory';
  /** Size keyword in bytes; 0 if none. */
  readonly sizeBytes: number;
  /** Segment override number, or -1. */
  readonly segment: number;
  readonly base: Register | undefined;
  readonly index: Register | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: Expression;
  /** `[rel x]`: x is an address; `[rip + x]`: x is the displacement. */
  readonly relative: 'no' | 'address' | 'displacement';
  readonly far: boolean;
}

export interface ImmediateOperand {
  readonly kind: 'immediate';
  /** `short`, `near`, or a size keyword in bytes; 0 if none. */
  readonly sizeBytes: number;
  readonly distance: '' | 'short' | 'near';
  readonly value: Expression;
}

export interface FarOperand { readonly kind: 'far'; readonly sizeBytes: number; readonly selector: Expression; readonly offset: Expression }

export type Operand = RegisterOperand | MemoryOperand | ImmediateOperand | FarOperand;

const SIZE_WORDS: Readonly<Record<string, number>> = {
  byte: 1, word: 2, dword: 4, fword: 6, qword: 8, tbyte: 10, tword: 10, oword: 16, xmmword: 16, yword: 32, ymmword: 32,
};

interface Modifiers { sizeBytes: number; far: boolean; distance: '' | 'short' | 'near'; segment: number }

function parseModifiers(tokens: Tokens): Modifiers {
  const m: Modifiers = { sizeBytes: 0, far: false, distance: '', segment: -1 };
  for (;;) {
    const word = tokens.peek()?.text.toLowerCase() ?? '';
    const size = tokens.peek()?.kind === 'word' ? SIZE_WORDS[word] : undefined;
    if (size !== undefined) {
      m.sizeBytes = size;
      tokens.take();
      tokens.accept('ptr');
    } else if (word === 'far') {
      m.far = true;
      tokens.take();
    } else if (word === 'short' || word === 'near') {
      m.distance = word;
      tokens.take();
    } else if (tokens.peek(1)?.text === ':' && registerNamed(word)?.kind === 'seg') {
      m.segment = registerNamed(word)?.number ?? -1;
      tokens.take();
      tokens.take();
    } else {
      return m;
    }
  }
}

export function parseOperand(tokens: Tokens, defaultRelative: boolean): Operand {
  const m = parseModifiers(tokens);
  if (tokens.accept('[')) return parseMemory(tokens, m, defaultRelative);
  const word = tokens.peek();
  const register = word?.kind === 'word' ? registerNamed(word.text) : undefined;
  if (register !== undefined && register.kind !== 'rip') return parseRegister(tokens, register);
  const value = parseExpression(tokens);
  if (m.segment >= 0) return absolute(m, value);
  if (tokens.accept(':')) return { kind: 'far', sizeBytes: m.sizeBytes, selector: value, offset: parseExpression(tokens) };
  return { kind: 'immediate', sizeBytes: m.sizeBytes, distance: m.distance, value };
}

/** `ds:0x1234`, as disassemblers print it. */
function absolute(m: Modifiers, displacement: Expression): MemoryOperand {
  return { kind: 'memory', sizeBytes: m.sizeBytes, segment: m.segment, base: undefined, index: undefined, scale: 1, displacement, relative: 'no', far: m.far };
}

function parseRegister(tokens: Tokens, register: Register): RegisterOperand {
  tokens.take();
  if (register.kind !== 'st' || !tokens.accept('(')) return { kind: 'register', register };
  const number = Number(tokens.take().value);
  tokens.expect(')');
  return { kind: 'register', register: { ...register, number } };
}

interface Address { base: Register | undefined; index: Register | undefined; scale: 1 | 2 | 4 | 8; terms: { sign: bigint; value: Expression }[] }

function parseMemory(tokens: Tokens, m: Modifiers, defaultRelative: boolean): MemoryOperand {
  let segment = m.segment;
  let relative: MemoryOperand['relative'] = tokens.accept('rel') ? 'address' : 'no';
  const absoluteWord = tokens.accept('abs');
  const first = tokens.peek();
  const override = first?.kind === 'word' ? registerNamed(first.text) : undefined;
  if (override?.kind === 'seg' && tokens.peek(1)?.text === ':') {
    segment = override.number;
    tokens.take();
    tokens.take();
  }
  const address: Address = { base: undefined, index: undefined, scale: 1, terms: [] };
  let isRip = false;
  for (let sign = tokens.accept('-') ? -1n : 1n; ; sign = tokens.accept('-') ? -1n : 1n) {
    isRip = parseTerm(tokens, address, sign) || isRip;
    if (tokens.accept(']')) break;
    if (tokens.peek()?.text !== '-') tokens.expect('+');
  }
  if (isRip) relative = 'displacement';
  else if (defaultRelative && !absoluteWord && relative === 'no' && segment < 4 && address.base === undefined && address.index === undefined) relative = 'address';
  return {
    kind: 'memory', sizeBytes: m.sizeBytes, segment, ...normalize(address), displacement: sum(address.terms), relative, far: m.far,
  };
}

/** One summand: a register, register * scale, scale * register, or an expression. True for RIP. */
function parseTerm(tokens: Tokens, address: Address, sign: bigint): boolean {
  const scaledFirst = scaleBeforeRegister(tokens);
  const token = tokens.peek();
  const register = token?.kind === 'word' ? registerNamed(token.text) : undefined;
  if (register === undefined) {
    // Products and shifts belong to one term; sums are split here so that registers may follow.
    address.terms.push({ sign, value: parseExpression(tokens, 5) });
    return false;
  }
  if (sign < 0n) throw new LineError(`register ${token?.text ?? ''} cannot be subtracted`);
  tokens.take();
  if (register.kind === 'rip') return true;
  const scale = scaledFirst ?? (tokens.accept('*') ? Number(tokens.take().value) : undefined);
  addRegister(address, register, scale);
  return false;
}

function scaleBeforeRegister(tokens: Tokens): number | undefined {
  const number = tokens.peek();
  const word = tokens.peek(2);
  if (number?.kind !== 'number' || tokens.peek(1)?.text !== '*' || word?.kind !== 'word' || registerNamed(word.text) === undefined) return undefined;
  tokens.take();
  tokens.take();
  return Number(number.value);
}

function addRegister(address: Address, register: Register, scale: number | undefined): void {
  if (scale !== undefined && ![1, 2, 4, 8].includes(scale)) {
    if (![3, 5, 9].includes(scale) || address.base !== undefined || address.index !== undefined) {
      throw new LineError(`scale ${scale} is not encodable`, 'an index is multiplied by 1, 2, 4 or 8 (3, 5, 9 if it is the only register)');
    }
    address.base = register;
    address.index = register;
    address.scale = (scale - 1) as 2 | 4 | 8;
    return;
  }
  const isVector = register.kind === 'xmm' || register.kind === 'ymm';
  if (scale === undefined && address.base === undefined && !isVector) address.base = register;
  else if (address.index === undefined) {
    address.index = register;
    address.scale = (scale ?? 1) as 1 | 2 | 4 | 8;
  } else if (address.base === undefined && address.scale !== undefined && scale === undefined) address.base = register;
  else throw new LineError('an address has at most one base and one index register');
}

/** 16-bit pairs in the order BX/BP, SI/DI; a stack pointer can only be a base; a lone unscaled index is a base. */
function normalize(address: Address): { base: Register | undefined; index: Register | undefined; scale: 1 | 2 | 4 | 8 } {
  let { base, index } = address;
  const { scale } = address;
  const swappable = scale === 1 && index !== undefined && index.kind === 'gpr';
  if (swappable && base !== undefined && index !== undefined && ((index.sizeBytes > 2 && index.number === 4) || (index.sizeBytes === 2 && base.number >= 6))) {
    [base, index] = [index, base];
  }
  if (swappable && base === undefined) {
    base = index;
    index = undefined;
  }
  return { base, index, scale };
}

function sum(terms: readonly { sign: bigint; value: Expression }[]): Expression {
  return (scope) => {
    let total = 0n;
    for (const { sign, value } of terms) {
      const v = value(scope);
      if (v === undefined) return undefined;
      total += sign * v;
    }
    return total;
  };
}
