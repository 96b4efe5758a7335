import type { FormFact } from './form.ts';
import type { Machine } from './machine.ts';

/** One instruction's meaning. `run` emits it; it is used for the interpreter and for translated code alike. */
export interface InstructionEntry {
  readonly run: (m: Machine) => void;
  /** Facts beyond operand kinds and sizes that the builder tests; others are left out of the form, so that forms are shared. */
  readonly uses?: readonly FormFact[];
  /** Ends a block: control transfers and anything after which the run loop must look again; `block`: the interpreter's alone, which charges whole blocks to the budget. */
  readonly ends?: boolean | 'block';
}

export type InstructionTable = Readonly<Record<string, InstructionEntry>>;
