/* @precomputed */
import { parseRows } from './parse-rows.ts';
import type { Row } from './row.ts';
import { INTEGER_ROWS } from './rows/integer.ts';
import { SIMD_ROWS } from './rows/simd.ts';
import { SYSTEM_ROWS } from './rows/system.ts';
import { X87_ROWS } from './rows/x87.ts';

/** The encoding table. `rows[i].index === i`. */
export const rows: readonly Row[] = parseRows([INTEGER_ROWS, '@ base', SYSTEM_ROWS, X87_ROWS, '@ base', SIMD_ROWS].join('\n'));
