/** @hot What an instruction means to a CPU model in a mode. */
import type { Instruction, Row } from '@vmm/decoder';
import { INSTRUCTIONS } from '@vmm/isa';
import type { Form, InstructionEntry } from '@vmm/isa';
import { entryFor, formOf } from './lowering.ts';
import { MODE } from './mode.ts';

/** An instruction's entry and the facts that the entry tests. */
export interface Lowered { readonly entry: InstructionEntry; readonly form: Form }

const bare = (mnemonic: string): Form => ({ mnemonic, operands: [], opSize: 0, addressSize: 0, stackSize: 0, mode: 0, rep: 0, vex: false });
/** Stand-ins for what raises #UD or #GP(0) when it is reached. */
const standIn = (mnemonic: 'undefined_opcode' | 'general_protection'): Lowered => ({ entry: { ends: true, run: (m) => { m.callout(mnemonic); } }, form: bare(mnemonic) });
export const UNDEFINED = standIn('undefined_opcode');
export const PROTECTION = standIn('general_protection');
/** STI where no other instruction follows in the block. */
export const STI_LAST: Lowered = { entry: INSTRUCTIONS['sti_last']!, form: bare('sti_last') };

/** Privileged instructions that do not exist outside ring 0, where the others raise #GP(0). SDM vol 2, their pages */
const UNDEFINED_OUTSIDE = new Set(['clac', 'stac', 'monitor', 'mwait']);

/** `hasFeature`: whether the CPU model has a row's feature. */
export function lower(inst: Instruction, modeKey: number, hasFeature: (row: Row) => boolean): Lowered {
  const { row } = inst;
  if (row.protectedOnly && (modeKey & MODE.PROTECTED) === 0) return UNDEFINED;
  let entry = entryFor(row), mnemonic = row.mnemonic;
  if (entry === undefined) return UNDEFINED;
  if (!hasFeature(row)) {
    // without their features the F3 prefix means nothing and these are the old scans
    const older = row.mnemonic === 'tzcnt' ? 'bsf' : row.mnemonic === 'lzcnt' ? 'bsr' : undefined;
    if (older === undefined) return UNDEFINED;
    entry = INSTRUCTIONS[older] ?? entry;
    mnemonic = older;
  }
  if (row.cpl0 && (modeKey & (MODE.USER | MODE.VM86)) !== 0) return UNDEFINED_OUTSIDE.has(mnemonic) ? UNDEFINED : PROTECTION;
  return { entry, form: { ...formOf(inst, entry, modeKey), mnemonic } };
}
