import { Vcpu } from '@vmm/cpu';
import type { BootState, CpuModel, InterruptPort, TranslationContext, Translator } from '@vmm/cpu';
import { FPU_CALLOUTS } from '@vmm/fpu';
import type { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import type { Surroundings } from './tape.ts';

export interface MemberOptions {
  readonly memory: MachineMemory;
  readonly model: CpuModel;
  readonly surroundings: Omit<Surroundings, 'mmio'>;
  readonly interrupts: InterruptPort;
  /** Absent: interpretation. */
  readonly createTranslator?: (context: TranslationContext) => Translator;
}

/** A vCPU of the pair: the same CPU as `createMachine` makes, with its surroundings given. */
export function createMember({ memory, model, surroundings, interrupts, createTranslator }: MemberOptions): Vcpu {
  const { ports, apic, clock, random } = surroundings;
  return new Vcpu({
    memory, model, ports, apic, clock, random, interrupts, createMmu: (context) => new EptMmu(context), callouts: FPU_CALLOUTS,
    ...(createTranslator === undefined ? {} : { createTranslator }),
  });
}

/** Power-on, then the state that the loader asks for. */
export function bootMember(vcpu: Vcpu, state: BootState): void {
  vcpu.reset();
  vcpu.boot(state);
}

/** The interrupt pins of a vCPU that is told what to take and when. */
export class ScriptedInterrupts implements InterruptPort {
  #vector = -1;
  #isNmi = false;
  pending(): boolean { return this.#vector >= 0; }
  acknowledge(): number {
    const vector = this.#vector;
    this.#vector = -1;
    return vector;
  }
  takeNmi(): boolean {
    const isNmi = this.#isNmi;
    this.#isNmi = false;
    return isNmi;
  }
  raise(event: number | 'nmi'): void {
    if (event === 'nmi') this.#isNmi = true;
    else this.#vector = event;
  }
}
