export { VmmError, invariant } from './errors.ts';
export type { VmmErrorCode, VmmErrorOptions } from './errors.ts';
