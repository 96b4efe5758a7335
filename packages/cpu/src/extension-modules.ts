import { ModuleBuilder } from '@vmm/wasm';
import { importCore } from './interpreter-module.ts';
import type { HelperTypes, InterpreterGeometry } from './interpreter-module.ts';
import type { InterpreterCore } from './interpreter-machine.ts';

export interface ExtensionModule { readonly module: ModuleBuilder; readonly core: InterpreterCore }

/** Begins modules that import machine memory, the table and the interpreter's functions. Made of plain data: any thread may have one. */
export class ExtensionModules {
  readonly geometry: InterpreterGeometry;
  /** Types of the interpreter's helper functions, by name. */
  readonly helperTypes: HelperTypes;
  #whole: ExtensionModule | undefined;

  constructor(geometry: InterpreterGeometry, helperTypes: HelperTypes) {
    this.geometry = geometry;
    this.helperTypes = helperTypes;
  }

  /** A module under construction that imports, of the helpers, those named or all. */
  begin(helpers?: ReadonlySet<string>): ExtensionModule {
    if (helpers !== undefined) return this.#importing(Object.fromEntries(Object.entries(this.helperTypes).filter(([name]) => helpers.has(name))));
    this.#whole ??= this.#importing(this.helperTypes);
    return { module: this.#whole.module.clone(), core: this.#whole.core };
  }
  #importing(types: HelperTypes): ExtensionModule {
    const module = new ModuleBuilder();
    return { module, core: importCore(module, this.geometry, types) };
  }
}
