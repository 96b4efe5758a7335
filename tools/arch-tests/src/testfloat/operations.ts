/** TestFloat's functions, roundings and precisions: what an x86 has, and what `@vmm/softfloat` has beyond. */

const ROUNDINGS = ['near_even', 'minMag', 'min', 'max', 'near_maxMag'] as const;
export type Rounding = (typeof ROUNDINGS)[number];
export type Precision = 80 | 64 | 32;

export interface Operation {
  /** TestFloat's name of the function. */
  readonly name: string;
  readonly rounding: Rounding;
  /** Of extF80 results. */
  readonly precision: Precision;
}

export type Kind = 'convert' | 'compare' | 'add' | 'sub' | 'mul' | 'div' | 'rem' | 'sqrt' | 'mulAdd' | 'roundToInt';
/** Types by our names: f16 f32 f64 x80 f128, i32 i64 ui32 ui64. */
export interface Types { readonly kind: Kind; readonly from: string; readonly to: string }

/** Passed by address. */
export const isExtended = (type: string): boolean => type === 'x80' || type === 'f128';
const ours = (type: string): string => (type === 'extF80' ? 'x80' : type);

export function typesOf({ name }: Operation): Types {
  const [, from = '', to = ''] = /^(\w+?)_to_(\w+)$/.exec(name) ?? [];
  if (from !== '') return { kind: 'convert', from: ours(from), to: ours(to) };
  const [type = '', ...rest] = name.split('_'), what = rest[0] ?? '';
  const kind = /^(eq|le|lt)$/.test(what) ? 'compare' : what as Kind;
  return { kind, from: ours(type), to: kind === 'compare' ? 'bool' : ours(type) };
}

const FLOATS = ['f16', 'f32', 'f64', 'extF80'], ALL_FLOATS = [...FLOATS, 'f128'], INTEGERS = ['i32', 'i64', 'ui32', 'ui64'];
const ARITHMETIC = ['add', 'sub', 'mul', 'div', 'sqrt'], COMPARISONS = ['eq', 'le', 'lt', 'eq_signaling', 'le_quiet', 'lt_quiet'];

/** Every stream: each function with the roundings and precisions that make a difference to it. */
export function operations(): Operation[] {
  const all: Operation[] = [];
  const add = (name: string, roundings: readonly Rounding[] = ROUNDINGS, precisions: readonly Precision[] = [80]): void => {
    for (const precision of precisions) for (const rounding of roundings) all.push({ name, rounding, precision });
  };
  for (const from of ALL_FLOATS) for (const to of ALL_FLOATS) if (from !== to) add(`${from}_to_${to}`);
  for (const integer of INTEGERS) for (const float of ALL_FLOATS) add(`${integer}_to_${float}`);
  for (const float of ALL_FLOATS) for (const integer of INTEGERS) add(`${float}_to_${integer}`);
  for (const float of FLOATS) {
    for (const operation of ARITHMETIC) add(`${float}_${operation}`, ROUNDINGS, float === 'extF80' ? [80, 64, 32] : [80]);
    add(`${float}_rem`, ['near_even']);
    if (float !== 'extF80') add(`${float}_mulAdd`);
  }
  for (const float of ALL_FLOATS) {
    add(`${float}_roundToInt`);
    for (const comparison of COMPARISONS) add(`${float}_${comparison}`, ['near_even']);
  }
  return all;
}

/** Arguments that make `testfloat_gen` print an operation's stream. */
export function generatorArguments({ name, rounding, precision }: Operation, level: number): string[] {
  const exact = /_to_u?i|roundToInt/.test(name) ? ['-exact'] : [];
  return ['-level', String(level), '-tininessafter', `-r${rounding}`, `-precision${String(precision)}`, ...exact, name];
}

/** TestFloat prints flags as: inexact 1, underflow 2, overflow 4, infinite 8, invalid 16. Ours are in MXCSR's order. */
export function testFloatFlags(flags: number): number {
  return (flags & 0x20 ? 1 : 0) | (flags & 0x10 ? 2 : 0) | (flags & 8 ? 4 : 0) | (flags & 4 ? 8 : 0) | (flags & 1 ? 16 : 0);
}
