import { LineError } from './errors.ts';
import { registerNamed } from './registers.ts';
import type { Tokens } from './tokens.ts';

/** What names mean while a pass runs. */
export interface Scope {
  /** Undefined: not known (yet). */
  lookup(name: string): bigint | undefined;
}

/** A parsed expression; undefined while a name in it is unknown. */
export type Expression = (scope: Scope) => bigint | undefined;

type Binary = (a: bigint, b: bigint) => bigint;

function divide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new LineError('division by zero');
  return a / b;
}

const LEVELS: readonly Readonly<Record<string, Binary>>[] = [
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  { '<<': (a, b) => a << b, '>>': (a, b) => a >> b },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
  { '*': (a, b) => a * b, '/': divide, '%': (a, b) => a - divide(a, b) * b },
];

/** Parses with C's precedence. Stops at the first token that cannot continue the expression. */
export function parseExpression(tokens: Tokens, level = 0): Expression {
  const operators = LEVELS[level];
  if (operators === undefined) return parseUnary(tokens);
  let left = parseExpression(tokens, level + 1);
  for (;;) {
    const next = tokens.peek();
    const operator = next?.kind === 'sign' ? operators[next.text] : undefined;
    if (operator === undefined) return left;
    tokens.take();
    left = combine(operator, left, parseExpression(tokens, level + 1));
  }
}

function combine(operator: Binary, left: Expression, right: Expression): Expression {
  return (scope) => {
    const a = left(scope);
    const b = right(scope);
    return a === undefined || b === undefined ? undefined : operator(a, b);
  };
}

function parseUnary(tokens: Tokens): Expression {
  const token = tokens.take();
  if (token.kind === 'number' || token.kind === 'string') return () => token.value;
  if (token.kind === 'word') {
    if (registerNamed(token.text) !== undefined) throw new LineError(`register ${token.text} cannot stand in an expression`);
    return (scope) => scope.lookup(token.text);
  }
  if (token.text === '(') {
    const inner = parseExpression(tokens);
    tokens.expect(')');
    return inner;
  }
  const operator = UNARY[token.text];
  if (operator === undefined) throw new LineError(`expected a value, found "${token.text}"`);
  const operand = parseUnary(tokens);
  return (scope) => {
    const value = operand(scope);
    return value === undefined ? undefined : operator(value);
  };
}

const UNARY: Readonly<Record<string, (a: bigint) => bigint>> = { '-': (a) => -a, '+': (a) => a, '~': (a) => ~a, '!': (a) => (a === 0n ? 1n : 0n) };
