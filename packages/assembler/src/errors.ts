import { VmmError } from '@vmm/spec';

/** One thing wrong with one line. */
export interface Diagnostic {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly message: string;
  readonly hint: string;
}

/** Every fault found in the source; the message shows the first ones. */
export class AssemblyError extends VmmError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    const shown = diagnostics.slice(0, 5).map((d) => `line ${d.line}: ${d.message}\n    ${d.text}${d.hint === '' ? '' : `\n    hint: ${d.hint}`}`);
    const more = diagnostics.length > 5 ? `\n… and ${diagnostics.length - 5} more` : '';
    super('ASSEMBLY_FAILED', `assemble: ${shown.join('\n')}${more}`, { hint: diagnostics[0]?.hint ?? '' });
    this.diagnostics = diagnostics;
  }
}

/** Thrown inside the assembler while it works on a line; the driver adds line number and text. */
export class LineError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '') {
    super(message);
    this.hint = hint;
  }
}
