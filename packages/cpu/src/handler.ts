import { formKey } from '@vmm/isa';
import type { Form, InstructionEntry } from '@vmm/isa';

/** What one handler of the interpreter is for: a form and its meaning. */
export interface Handler {
  readonly form: Form;
  readonly entry: InstructionEntry;
  /** For operands in flat segments alone, of the mode's address size and without index: see `isPlain` in lowering. */
  readonly isPlain: boolean;
}

export const handlerKey = ({ form, isPlain }: Pick<Handler, 'form' | 'isPlain'>): string => (isPlain ? `plain ${formKey(form)}` : formKey(form));
