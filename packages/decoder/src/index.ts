export { decode, INVALID, NEED_MORE, TOO_LONG } from './decode.ts';
export { hasMemoryOperand, Instruction, MAX_OPERANDS, type SegmentNumber } from './instruction.ts';
export { OpKind } from './operand-codes.ts';
export { FLAG_BITS, type Access, type FlagEffects, type ModrmRule, type Row } from './row.ts';
export { CONDITIONS } from './parse-rows.ts';
export { rows } from './rows.ts';
export { branchTarget, formatInstruction, type FormatOptions } from './format.ts';
export { gprName, highByteName, SEGMENT_NAMES } from './register-names.ts';
export { Imm, parseOperandCode, Source, type OperandCode } from './operand-codes.ts';
