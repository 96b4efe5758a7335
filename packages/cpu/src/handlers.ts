import { formKey, INSTRUCTIONS } from '@vmm/isa';
import type { Form, InstructionEntry } from '@vmm/isa';
import { buildExtension, buildInterpreter, helperTypes, TABLE_SIZE } from './interpreter-module.ts';
import type { Handler, HelperTypes, InterpreterGeometry } from './interpreter-module.ts';
import { commonForms, isHot } from './common-forms.ts';

export interface HostImports {
  access(lo: number, hi: number, size: number, kind: number): number;
  commit(): number;
  callout(id: number, size: number): number;
  lookup(host: number): number;
}

/**
 * The interpreter's handlers: one number per instruction form. Common forms are in the main module; a form met for the first time gets an
 * extension module of its own, a few tens of microseconds once.
 */
export class HandlerTable {
  readonly run: () => number;
  readonly #geometry: InterpreterGeometry;
  readonly #imports: WebAssembly.Imports;
  readonly #numbers = new Map<string, number>();
  #next: number;
  #helperTypes: HelperTypes | undefined;
  /** Forms that needed an extension module, in the order met. */
  readonly extensions: string[] = [];

  constructor(geometry: InterpreterGeometry, memory: WebAssembly.Memory, host: HostImports) {
    this.#geometry = geometry;
    const table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
    const env = { memory, table, access: host.access, commit: host.commit, callout: host.callout, lookup: host.lookup };
    const handlers = commonForms().map((form): Handler => ({ form, entry: this.#entry(form) }));
    const hot = handlers.filter((handler) => isHot(handler.form)), others = handlers.filter((handler) => !isHot(handler.form));
    [...hot, ...others].forEach((handler, i) => { this.#numbers.set(formKey(handler.form), i + 1); });
    this.#next = handlers.length + 1;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(buildInterpreter(geometry, hot, others)), { env });
    this.#imports = { env: { memory, table }, core: instance.exports };
    this.run = instance.exports['run'] as () => number;
  }

  #entry(form: Form): InstructionEntry {
    const entry = INSTRUCTIONS[form.mnemonic] ?? INSTRUCTIONS[`v:${form.mnemonic}`];
    if (entry === undefined) throw new Error(`no instruction ${form.mnemonic}`);
    return entry;
  }

  /** The handler for a form, made now if it is new. */
  numberFor(form: Form, entry: InstructionEntry): number {
    const key = formKey(form);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#helperTypes ??= helperTypes();
    const number = this.#next++;
    if (number >= TABLE_SIZE) throw new Error('more instruction forms than table slots');
    new WebAssembly.Instance(new WebAssembly.Module(buildExtension(this.#geometry, number, [{ form, entry }], this.#helperTypes)), this.#imports);
    this.#numbers.set(key, number);
    this.extensions.push(key);
    return number;
  }
}
