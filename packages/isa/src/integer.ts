import type { InstructionTable } from './entry.ts';
import { ARITHMETIC } from './integer-arithmetic.ts';
import { BIT } from './integer-bit.ts';
import { CONTROL } from './integer-control.ts';
import { MOVE } from './integer-move.ts';
import { SHIFT } from './integer-shift.ts';
import { STRING } from './integer-string.ts';
import { SYSTEM } from './integer-system.ts';

/** Every instruction that works on general registers, flags, segments and system state, by the decoder's mnemonic. */
export const INTEGER: InstructionTable = { ...ARITHMETIC, ...SHIFT, ...MOVE, ...BIT, ...STRING, ...CONTROL, ...SYSTEM };
