import { formKey, INSTRUCTIONS } from '@vmm/isa';
import type { Form, InstructionEntry } from '@vmm/isa';
import { buildInterpreter, finishExtension, importCore, TABLE_SIZE } from './interpreter-module.ts';
import type { HelperTypes } from './interpreter-module.ts';
import { keptModule } from './module-store.ts';
import type { ModuleStore } from './module-store.ts';
import type { DefineAccess, Handler, InterpreterGeometry } from './interpreter-module.ts';
import type { InterpreterCore } from './interpreter-machine.ts';
import { ModuleBuilder } from '@vmm/wasm';
import { commonForms, isHot } from './common-forms.ts';

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
 * The interpreter's handlers: one number per instruction form. Common forms are in the main module; a form met for the first time gets an
 * extension module of its own, a few tens of microseconds once.
 */
export class HandlerTable {
  readonly run: () => number;
  /** Handler number of the record that guards an instruction which crosses pages. */
  readonly crossingCheck: number;
  /** Of the record in front of a block whose CS has a limit. */
  readonly limitCheck: number;
  readonly #geometry: InterpreterGeometry;
  readonly #imports: WebAssembly.Imports;
  readonly #numbers = new Map<string, number>();
  #next: number;
  readonly #freeSlots: number[] = [];
  readonly #helperTypes: HelperTypes;
  #extensionBase: { module: ModuleBuilder; core: InterpreterCore } | undefined;
  /** Forms that needed an extension module, in the order met. */
  readonly extensions: string[] = [];

  /** `kept`: where the main module may come from, and what it depends on besides the program. */
  constructor(geometry: InterpreterGeometry, memory: WebAssembly.Memory, host: HostImports, defineAccess?: DefineAccess, kept: { readonly store?: ModuleStore | undefined; readonly key: string } = { key: '' }) {
    this.#geometry = geometry;
    const table = new WebAssembly.Table({ element: 'anyfunc', initial: TABLE_SIZE });
    const env = { memory, table, ...host };
    const handlers = commonForms().map((form): Handler => ({ form, entry: this.#entry(form) }));
    const hot = handlers.filter((handler) => isHot(handler.form)), others = handlers.filter((handler) => !isHot(handler.form));
    hot.forEach((handler, i) => { this.#numbers.set(formKey(handler.form), i + 1); });
    this.crossingCheck = hot.length + 1;
    this.limitCheck = hot.length + 2;
    others.forEach((handler, i) => { this.#numbers.set(formKey(handler.form), hot.length + 3 + i); });
    this.#next = handlers.length + 3;
    const { bytes, helperTypes } = keptModule(kept.store, kept.key, () => buildInterpreter(geometry, hot, others, defineAccess));
    this.#helperTypes = helperTypes;
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
  releaseSlot(slot: number): void { this.#freeSlots.push(slot); }
  get hasFreeSlot(): boolean { return this.#freeSlots.length > 0 || this.#next < TABLE_SIZE - 1024; }

  /** A module under construction that imports machine memory, the table and the interpreter's functions: of the helpers those named, or all. */
  extensionModule(helpers?: ReadonlySet<string>): { module: ModuleBuilder; core: InterpreterCore } {
    if (helpers !== undefined) {
      const module = new ModuleBuilder();
      return { module, core: importCore(module, this.#geometry, Object.fromEntries(Object.entries(this.#helperTypes).filter(([name]) => helpers.has(name)))) };
    }
    if (this.#extensionBase === undefined) {
      const module = new ModuleBuilder();
      this.#extensionBase = { module, core: importCore(module, this.#geometry, this.#helperTypes) };
    }
    return { module: this.#extensionBase.module.clone(), core: this.#extensionBase.core };
  }

  /** What modules that call the interpreter's functions import. */
  get imports(): WebAssembly.Imports { return this.#imports; }
  get geometry(): InterpreterGeometry { return this.#geometry; }

  /** The handler for a form, made now if it is new. */
  numberFor(form: Form, entry: InstructionEntry): number {
    const key = formKey(form);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.takeSlot();
    const { module, core } = this.extensionModule();
    new WebAssembly.Instance(new WebAssembly.Module(finishExtension(module, core, this.#geometry, number, { form, entry })), this.#imports);
    this.#numbers.set(key, number);
    this.extensions.push(key);
    return number;
  }
}
