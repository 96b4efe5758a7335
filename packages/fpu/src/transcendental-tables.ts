/* @precomputed */
import { makeTables } from './tables.ts';

/** What generated code reads; its layout is `TABLES`. */
export const TRANSCENDENTAL_TABLES: BigUint64Array = makeTables();
