import type { InstructionTable } from './entry.ts';
import { INTEGER } from './integer.ts';

/** All instructions by the decoder's mnemonic; VEX forms whose mnemonic is not their own begin with `v:`. */
export const INSTRUCTIONS: InstructionTable = { ...INTEGER };
