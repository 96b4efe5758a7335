import { OpKind } from './operand-codes.ts';
import type { Row } from './row.ts';
import { rows } from './rows.ts';

export const MAX_OPERANDS = 4;

/** ES CS SS DS FS GS, the SDM's encoding. */
export type SegmentNumber = 0 | 1 | 2 | 3 | 4 | 5;

/** A decoded instruction: made once, filled by `decode` again and again. Fields keep stale values where the instruction has no use for them. */
export class Instruction {
  /** Bytes; 0 if not decodable. */
  length = 0;
  /** Index of the table row. */
  rowIndex = 0;
  /** Code size in bits. */
  mode: 16 | 32 | 64 = 64;
  /** Effective operand size in bytes, after 66, REX.W, VEX.W and the row's own rule. */
  opSize: 2 | 4 | 8 = 4;
  addrSize: 2 | 4 | 8 = 8;
  lock = false;
  /** The last of F2 and F3, 0 where the row consumes it as a mandatory prefix. */
  rep: 0 | 0xf2 | 0xf3 = 0;
  /** A 66 prefix is present, whatever it does. */
  has66 = false;
  /** Segment override as seen, -1 none. In 64-bit mode ES, CS, SS and DS have no effect: see `seg`. */
  segOverride = -1;
  /** 0, or 40h..4Fh. For VEX instructions only the W R X B bits (40h added if any is set). */
  rex = 0;
  isVex = false;
  vexL: 0 | 1 = 0;
  /** Register number of VEX.vvvv. */
  vexV = 0;
  vexW: 0 | 1 = 0;

  hasModrm = false;
  mod = 0;
  /** Extended by REX or VEX: 0..15. */
  reg = 0;
  rm = 0;

  /** Memory operand: register numbers or -1. 16-bit forms use the same numbers (BX 3, BP 5, SI 6, DI 7). */
  base = -1;
  index = -1;
  /** log2 of the factor. */
  scale: 0 | 1 | 2 | 3 = 0;
  /** Signed 32-bit. 16-bit addresses: sign-extended from 16. */
  disp = 0;
  ripRelative = false;
  /** Effective segment of the memory operand. */
  seg = 3;

  /** First immediate, 64-bit two's complement in two int32. */
  immLo = 0;
  immHi = 0;
  /** ENTER level, far pointer selector, second byte of is4. */
  imm2 = 0;

  /** Where the displacement and the immediate stand in the instruction, and how many bytes: for listings, relocations and patching. */
  dispOffset = 0;
  dispBytes = 0;
  immOffset = 0;
  immBytes = 0;

  opCount = 0;
  /** `OpKind` of each operand. */
  readonly opKind = new Uint8Array(MAX_OPERANDS);
  readonly opReg = new Uint8Array(MAX_OPERANDS);
  /** 0: the size depends on more than the instruction (XSAVE) or is meaningless (LEA). */
  readonly opSizeBytes = new Uint16Array(MAX_OPERANDS);

  get row(): Row {
    return rows[this.rowIndex] as Row;
  }
}

/** True if the instruction has an ordinary memory operand (ModRM memory form). */
export function hasMemoryOperand(inst: Instruction): boolean {
  for (let i = 0; i < inst.opCount; i++) if (inst.opKind[i] === OpKind.mem) return true;
  return false;
}
