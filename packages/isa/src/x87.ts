/** All x87 instructions. */
import type { InstructionTable } from './entry.ts';
import { X87_ARITHMETIC } from './x87-arithmetic.ts';
import { X87_STATE } from './x87-state.ts';

export const X87: InstructionTable = { ...X87_STATE, ...X87_ARITHMETIC };
