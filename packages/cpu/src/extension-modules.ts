import { ModuleBuilder } from '@vmm/wasm';
import { importCore } from './interpreter-module.ts';
import type { HelperTypes, InterpreterGeometry } from './interpreter-module.ts';
import type { InterpreterCore } from './interpreter-machine.ts';

export interface ExtensionModule { readonly module: ModuleBuilder; readonly core: InterpreterCore }

/** So many sets of helpers are remembered: small loops share theirs, what is large hardly ever comes twice. */
const MOST_BEGUN = 64;

/** Begins modules that import machine memory, the table and the interpreter's functions. Made of plain data: any thread may have one. */
export class ExtensionModules {
  readonly geometry: InterpreterGeometry;
  /** Types of the interpreter's helper functions, by name. */
  readonly helperTypes: HelperTypes;
  /** Modules with nothing but imports, by what they import. */
  readonly #begun = new Map<string, ExtensionModule>();

  constructor(geometry: InterpreterGeometry, helperTypes: HelperTypes) {
    this.geometry = geometry;
    this.helperTypes = helperTypes;
  }

  /** A module under construction that imports, of the helpers, those named or all. */
  begin(helpers?: ReadonlySet<string>): ExtensionModule {
    const key = helpers === undefined ? '*' : [...helpers].sort().join();
    let begun = this.#begun.get(key);
    if (begun === undefined) {
      if (this.#begun.size === MOST_BEGUN) this.#begun.clear();
      this.#begun.set(key, begun = this.#importing(helpers === undefined ? this.helperTypes : Object.fromEntries(Object.entries(this.helperTypes).filter(([name]) => helpers.has(name)))));
    }
    return { module: begun.module.clone(), core: begun.core };
  }
  #importing(types: HelperTypes): ExtensionModule {
    const module = new ModuleBuilder();
    return { module, core: importCore(module, this.geometry, types) };
  }
}
