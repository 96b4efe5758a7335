/** VEX-encoded instructions: AVX, AVX2, FMA, F16C and the VEX forms of AES and PCLMULQDQ. */
import { AVX_FLOAT } from './avx-float.ts';
import { AVX_GATHERS } from './avx-gather.ts';
import { AVX_MOVES } from './avx-move.ts';
import { AVX_PACKED } from './avx-packed.ts';
import type { InstructionTable } from './entry.ts';

export const AVX: InstructionTable = { ...AVX_PACKED, ...AVX_MOVES, ...AVX_FLOAT, ...AVX_GATHERS };
