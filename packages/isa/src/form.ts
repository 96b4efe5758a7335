/** What kind of thing an operand is, as far as the semantics care. */
export type OperandKind = 'reg' | 'mem' | 'moffs' | 'imm' | 'seg' | 'cr' | 'dr' | 'xmm' | 'mmx' | 'st';

export interface OperandFact {
  readonly kind: OperandKind;
  /** Bytes. For `xmm` 16 (or 32: YMM) whatever part of it the instruction uses. */
  readonly size: number;
}

/**
 * Decode-time facts of one instruction: all that a builder's TypeScript `if` may test. The same form serves every encoding with these
 * facts, so `add r32, r32` is one form whichever opcode said it. Register numbers and immediates are not part of it.
 */
export interface Form {
  readonly mnemonic: string;
  readonly operands: readonly OperandFact[];
  /** Effective operand size of the instruction, bytes. */
  readonly opSize: number;
  /** Effective address size, bytes; 0 where the entry does not use it (see `InstructionEntry.uses`). */
  readonly addressSize: number;
  /** Width of the stack pointer, bytes; 0 where unused. */
  readonly stackSize: number;
  /** Code size 16, 32, 64; 0 where unused. */
  readonly mode: number;
  /** 0, 0xf2 or 0xf3; 0 where unused. */
  readonly rep: number;
  readonly vex: boolean;
  /** VEX.L where operand sizes do not say it (gathers); absent where clear or unused. */
  readonly wide?: true;
}

export type FormFact = 'size' | 'address' | 'stack' | 'mode' | 'rep' | 'length';

export function formKey(form: Form): string {
  const operands = form.operands.map((o) => `${o.kind}${o.size}`).join(',');
  return `${form.vex ? 'v:' : ''}${form.wide === true ? '256:' : ''}${form.mnemonic}${form.rep === 0 ? '' : `.${form.rep === 0xf3 ? 'rep' : 'repne'}`} ${operands}|${form.opSize}|${form.addressSize}|${form.stackSize}|${form.mode}`;
}
