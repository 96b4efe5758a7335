import { INSTRUCTIONS } from '@vmm/isa';
import type { Form, InstructionEntry } from '@vmm/isa';
import { ExtensionModules } from './extension-modules.ts';
import { buildInterpreter, finishExtension, TABLE_SIZE } from './interpreter-module.ts';
import { handlerKey } from './handler.ts';
import type { Handler } from './handler.ts';
import { keptModule } from './module-store.ts';
import type { ModuleStore } from './module-store.ts';
import type { DefineAccess, InterpreterGeometry } from './interpreter-module.ts';
import { commonForms, hasPlain, isHot } from './common-forms.ts';

export interface HostImports {
  readonly access: (lo: number, hi: number, size: number, kind: number) => number;
  readonly commit: () => number;
  /** The time-stamp counter without its offset, -1 if it must be asked for in another way. */
  readonly readTime: () => number;
  /** Ports that may be used: their permission has been looked at. */
  readonly readPort: (port: number, size: number) => number;
  readonly writePort: (port: number, size: number, value: number) => void;
  readonly callout: (id: number, size: number) => number;
  readonly lookup: (host: number) => number;
  /** The interpreter's own block at a host address, even where translated code exists. */
  readonly interpreted: (host: number) => number;
  readonly becameHot: (host: number) => void;
  /** Whether translated code entered at an address is there still: (code, lo, hi) -> 0 or 1. */
  readonly mayGoOn: (code: number, lo: number, hi: number) => number;
}

/**
 * The interpreter's handlers: one number per instruction form, two where a form has a plain handler. Common forms are in the main module; a form met for the first time gets an
 * extension module of its own, a few tens of microseconds once.
 */
export class HandlerTable {
  readonly run: () => number;
  /** Handler number of the record that guards an instruction which crosses pages. */
  readonly crossingCheck: number;
  /** Of the record in front of a block whose CS has a limit. */
  readonly limitCheck: number;
  /** Begins modules that call the interpreter's functions. */
  readonly modules: ExtensionModules;
  readonly #table: WebAssembly.Table;
  readonly #imports: WebAssembly.Imports;
  readonly #numbers = new Map<string, number>();
  #next: number;
  readonly #freeSlots: number[] = [];
  /** Forms that needed an extension module, in the order met. */
  readonly extensions: string[] = [];

  /** `kept`: where the main module may come from, and what it depends on besides the program. */
  constructor(geometry: InterpreterGeometry, memory: WebAssembly.Memory, host: HostImports, defineAccess?: DefineAccess, kept: { readonly store?: ModuleStore | undefined; readonly key: string } = { key: '' }) {
    const table = this.#table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
    const env = { memory, table, ...host };
    const forms = commonForms(), handlerOf = (form: Form, isPlain = false): Handler => ({ form, entry: this.#entry(form), isPlain });
    const hot = forms.filter(isHot).flatMap((form) => (hasPlain(form) ? [handlerOf(form, true), handlerOf(form)] : [handlerOf(form)])), others = forms.filter((form) => !isHot(form)).map((form) => handlerOf(form));
    hot.forEach((handler, i) => { this.#numbers.set(handlerKey(handler), i + 1); });
    this.crossingCheck = hot.length + 1;
    this.limitCheck = hot.length + 2;
    others.forEach((handler, i) => { this.#numbers.set(handlerKey(handler), hot.length + 3 + i); });
    this.#next = hot.length + others.length + 3;
    const { bytes, helperTypes } = keptModule(kept.store, kept.key, () => buildInterpreter(geometry, hot, others, defineAccess));
    this.modules = new ExtensionModules(geometry, helperTypes);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
    this.#imports = { env: { memory, table }, core: instance.exports };
    this.run = instance.exports['run'] as () => number;
  }

  #entry(form: Form): InstructionEntry {
    const entry = INSTRUCTIONS[form.mnemonic] ?? INSTRUCTIONS[`v:${form.mnemonic}`];
    if (entry === undefined) throw new Error(`no instruction ${form.mnemonic}`);
    return entry;
  }

  /** Table slots for translated regions; released ones are used again. */
  takeSlot(): number {
    const slot = this.#freeSlots.pop() ?? this.#next++;
    if (slot >= TABLE_SIZE) throw new Error('handler table is full');
    return slot;
  }
  releaseSlot(slot: number): void {
    // or the function, and all of its module, would stay
    this.#table.set(slot, this.#table.get(0));
    this.#freeSlots.push(slot);
  }
  get freeSlots(): number { return this.#freeSlots.length + TABLE_SIZE - 1024 - this.#next; }

  /** What modules that call the interpreter's functions import. */
  get imports(): WebAssembly.Imports { return this.#imports; }

  /** The handler for a form, made now if it is new; a plain one where there is one. */
  numberFor(form: Form, entry: InstructionEntry, isPlain = false): number {
    const key = handlerKey({ form, isPlain: false });
    const known = (isPlain ? this.#numbers.get(handlerKey({ form, isPlain })) : undefined) ?? this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.takeSlot();
    const { module, core } = this.modules.begin();
    new WebAssembly.Instance(new WebAssembly.Module(finishExtension(module, core, this.modules.geometry, number, { form, entry, isPlain: false })), this.#imports);
    this.#numbers.set(key, number);
    this.extensions.push(key);
    return number;
  }
}
