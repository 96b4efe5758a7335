import { MODE, quickKey } from '@vmm/cpu';
import type { ExtensionModules, Lowered } from '@vmm/cpu';
import type { Instruction } from '@vmm/decoder';
import { formKey } from '@vmm/isa';
import type { Form, InstructionEntry } from '@vmm/isa';
import type { Meaning, Traits } from './flow-graph.ts';
import { RegionCode } from './region-code.ts';
import { SITE_KIND } from './slow-sites.ts';
import { TranslatorMachine } from './translator-machine.ts';

/** Instructions whose count, an immediate, decides whether they set flags: a trial with one count says nothing of others. */
const COUNTED = new Set(['rol', 'ror', 'rcl', 'rcr', 'shl', 'sal', 'shr', 'sar', 'shld', 'shrd']);
const MODE_OF = { 16: MODE.CODE16, 32: MODE.CODE32, 64: MODE.CODE64 } as const;
const UNKNOWN: Traits = { writesFlags: true, touchesVectorState: false, helpers: [] };

/** What it takes to find out. */
export interface MeaningSource {
  readonly privateBase: number;
  readonly modules: ExtensionModules;
  lower(inst: Instruction, modeKey: number): Lowered;
}

/** What instructions mean to the CPU at hand and whether they can be translated: found out once for each form, by trying. */
export class Meanings {
  readonly #source: MeaningSource;
  /** By quick key, then by form: as many as a decoder can tell apart. Undefined: cannot be translated. */
  readonly #meanings = new Map<number, Meaning | undefined>();
  readonly #traits = new Map<string, Traits | undefined>();

  constructor(source: MeaningSource) { this.#source = source; }

  of(inst: Instruction, modeKey: number): Meaning | undefined {
    const key = quickKey(inst, modeKey);
    let known = this.#meanings.get(key);
    if (known === undefined && !this.#meanings.has(key)) {
      const { entry, form } = this.#source.lower(inst, modeKey), traits = this.#traitsOf(inst, entry, form);
      known = traits === undefined ? undefined : { entry, form, traits };
      this.#meanings.set(key, known);
    }
    return known;
  }

  #traitsOf(inst: Instruction, entry: InstructionEntry, form: Form): Traits | undefined {
    const key = `${formKey(form)}${inst.mode}`;
    const known = this.#traits.get(key);
    if (known !== undefined || this.#traits.has(key)) return known;
    const traits = this.#try(inst, entry, form);
    this.#traits.set(key, traits);
    return traits;
  }
  /** Whether the builder of a form emits code without calling TypeScript, and what it does. */
  #try(inst: Instruction, entry: InstructionEntry, form: Form): Traits | undefined {
    const { modules, privateBase } = this.#source;
    const { module, core } = modules.begin();
    let traits: Traits | undefined;
    try {
      module.define([], ['i32'], (fn) => {
        const machine = new TranslatorMachine(new RegionCode(fn, module, core, privateBase, MODE_OF[inst.mode]), new Map());
        machine.frame.around(() => undefined, () => { machine.run({ delta: 0, inst, entry, form, traits: UNKNOWN, site: SITE_KIND.usual }, 1); });
        traits = { writesFlags: machine.flags.writes > 0 || COUNTED.has(form.mnemonic), touchesVectorState: machine.touchesVectorState, helpers: [...machine.code.usedHelpers] };
      });
    } catch {
      return undefined;
    }
    return traits;
  }
}
