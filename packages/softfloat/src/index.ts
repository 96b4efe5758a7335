export { FLAG, MODE } from './flags.ts';
export { FORMATS } from './format.ts';
export type { Format } from './format.ts';
export { ORDER } from './convert.ts';
export { QUOTIENT } from './extended.ts';
export { defineSoftFloat } from './soft-float.ts';
export type { SoftFloatOptions } from './soft-float.ts';
export * as wide from './wide.ts';
export { integerRoot, restOfQuotient } from './arithmetic.ts';
