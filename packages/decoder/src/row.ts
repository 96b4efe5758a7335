/** One row of the encoding table: everything about an instruction form that does not depend on its operands' values. */
export interface Row {
  /** Position in `rows`; the key under which other packages store what they know about the form. */
  readonly index: number;
  /** Intel's name in lower case. Conditions are canonical: jo jno jb jnb jz jnz jbe jnbe js jns jp jnp jl jnl jle jnle. */
  readonly mnemonic: string;
  /** Condition code 0..15 of jcc, setcc and cmovcc; -1 for everything else. */
  readonly cond: number;
  readonly encoding: 'legacy' | 'vex';
  readonly map: '' | '0f' | '0f38' | '0f3a';
  readonly opcode: number;
  /** The low three opcode bits name a register: the row covers eight opcodes. */
  readonly opcodeRegister: boolean;
  /** Mandatory prefix. `any`: none, the prefixes keep their usual meaning. `no-rep`: as `any`, but F2 and F3 select something else. */
  readonly prefix: 'any' | 'none' | '66' | 'f3' | 'f2' | 'no-rep';
  readonly modrm: ModrmRule;
  /** REX.W or VEX.W, VEX.L: required value, or -1. */
  readonly w: -1 | 0 | 1;
  readonly l: -1 | 0 | 1;
  /** Effective operand (address) size in bytes that selects the row; empty: every size. */
  readonly opSizes: readonly number[];
  readonly addrSizes: readonly number[];
  /** Operand codes in the SDM's letters, in Intel order. See operand-codes.ts. */
  readonly operands: readonly string[];
  readonly access: readonly Access[];
  /** Operands that assembly text does not spell out (ST0 of `fadd m32`). */
  readonly hidden: readonly boolean[];
  readonly flags: FlagEffects;
  readonly lockable: boolean;
  /** A string instruction that honours REP. */
  readonly repeatable: boolean;
  /** #GP outside ring 0. */
  readonly cpl0: boolean;
  /** #UD in real and virtual-8086 mode. */
  readonly protectedOnly: boolean;
  readonly modes: 'all' | 'no64' | 'only64';
  /** Operand size in 64-bit mode: `default64` (66 gives 16), `forced64` (prefixes do not change it), or by REX.W and 66. */
  readonly size64: 'normal' | 'default64' | 'forced64';
  /** CPUID feature, `base` if none. */
  readonly feature: string;
  /** CPUID feature of the 256-bit form where it differs. */
  readonly feature256: string;
  /** VM exit that may be taken instead of executing; '' if none. */
  readonly intercepts: { readonly vmx: string; readonly svm: string };
  /** Control may leave the straight line here, or execution mode may change: nothing after it belongs to the same block. */
  readonly endsBlock: boolean;
  /** Another row encodes the same instruction and is preferred by assemblers. */
  readonly alias: boolean;
  /** Memory operand has a vector index: `l` as wide as VEX.L says, `x` always 128 bit. */
  readonly vsib: '' | 'l' | 'x';
  /** The source line, for messages and documentation. */
  readonly text: string;
}

export interface ModrmRule {
  readonly present: boolean;
  /** /digit, or -1. */
  readonly reg: number;
  /** The whole byte must have this value, or -1. */
  readonly exact: number;
  readonly mod: 'any' | 'mem' | 'reg';
  /** mod is ignored and taken as 3 (moves to and from control and debug registers). */
  readonly ignoresMod: boolean;
  /** REX.B must be 0 (NOP and PAUSE, else XCHG). */
  readonly rexB0: boolean;
  /** MOV Sreg: CS is not a destination. */
  readonly notCs: boolean;
}

/** `a`: only the address is used (LEA, prefetches). A conditional write is `rw`. */
export type Access = 'r' | 'w' | 'rw' | 'a';

/** EFLAGS masks. */
export interface FlagEffects {
  readonly read: number;
  /** Set according to the result. */
  readonly modified: number;
  readonly undefined: number;
  readonly set: number;
  readonly cleared: number;
}

/** SDM vol 1 §3.4.3; the letters the row text uses. */
export const FLAG_BITS: Readonly<Record<string, number>> = {
  c: 1 << 0, p: 1 << 2, a: 1 << 4, z: 1 << 6, s: 1 << 7, t: 1 << 8, i: 1 << 9, d: 1 << 10, o: 1 << 11, n: 1 << 14, v: 1 << 17,
};
