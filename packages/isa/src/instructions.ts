import { AVX } from './avx.ts';
import type { InstructionTable } from './entry.ts';
import { INTEGER } from './integer.ts';
import { MMX } from './mmx.ts';
import { SSE } from './sse.ts';
import { X87 } from './x87.ts';

/** All instructions by the decoder's mnemonic; VEX forms whose mnemonic is not their own begin with `v:`. */
export const INSTRUCTIONS: InstructionTable = { ...INTEGER, ...MMX, ...SSE, ...AVX, ...X87 };
