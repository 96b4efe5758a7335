/** All SSE to SSE4.2, AES, PCLMULQDQ and SHA instructions on XMM registers, and the MMX instructions that share a mnemonic with one. */
import type { InstructionTable } from './entry.ts';
import { CRYPTO } from './sse-crypto.ts';
import { FLOAT_COMPARE } from './sse-compare.ts';
import { FLOAT_CONVERT } from './sse-convert.ts';
import { FLOAT_ARITHMETIC } from './sse-float.ts';
import { PACKED_INTEGER } from './sse-integer.ts';
import { MOVES } from './sse-move.ts';
import { SSE4 } from './sse-sse4.ts';
import { SSE_STATE } from './sse-state.ts';
import { STRINGS } from './sse-strings.ts';

export const SSE: InstructionTable = { ...PACKED_INTEGER, ...MOVES, ...FLOAT_ARITHMETIC, ...FLOAT_COMPARE, ...FLOAT_CONVERT, ...SSE4, ...STRINGS, ...CRYPTO, ...SSE_STATE };
