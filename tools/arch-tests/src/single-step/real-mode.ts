/** The virtual CPU in real mode, one instruction at a time. */
import { CPU_MODELS, readFlags, Vcpu } from '@vmm/cpu';
import { FPU_CALLOUTS } from '@vmm/fpu';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import type { RegisterName, SingleStepCase } from './moo.ts';

const RAM_BYTES = 2 << 20;
const GPR: Readonly<Partial<Record<RegisterName, number>>> = { ax: 0, cx: 1, dx: 2, bx: 3, sp: 4, bp: 5, si: 6, di: 7 };
const SEGMENT: Readonly<Partial<Record<RegisterName, number>>> = { es: 0, cs: 1, ss: 2, ds: 3 };
/** An instruction breakpoint where nothing is executed: blocks hold one instruction each. */
const DR7_ENABLED = 0x401, NOWHERE = 0xdead_0000;
/** Elements that one repeated instruction may take. */
const MAX_STEPS = 300;
/** Flags that a 286 has in real mode: bits 12..15 are always clear there. */
export const FLAGS_286 = 0xfd5;

export interface Outcome { readonly registers: Readonly<Record<string, number>>; readonly vector: number | undefined }

export class RealModeCpu {
  readonly #memory = new MachineMemory({ ramBytes: RAM_BYTES });
  readonly #vcpu: Vcpu;
  #vector: number | undefined;

  constructor() {
    this.#vcpu = new Vcpu({
      memory: this.#memory, model: CPU_MODELS.default32, createMmu: (context) => new EptMmu(context), callouts: FPU_CALLOUTS,
      ports: { read: (_port, size) => (size === 1 ? 0xff : 0xffff), write: () => undefined },
      interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false }, clock: { tscHz: 1e9, readTsc: () => 0n },
    });
    this.#vcpu.onException = (vector) => { this.#vector ??= vector; };
  }

  read(at: number): number { return this.#memory.guest.read8(at); }

  run({ before, after }: SingleStepCase): Outcome {
    const { guest } = this.#memory, { state } = this.#vcpu, r = before.registers;
    for (const [at, byte] of before.memory) guest.write8(at, byte);
    const segment = (selector = 0): { selector: number; base: number; limit: number; attributes: number } => ({ selector, base: selector << 4, limit: 0xffff, attributes: 0x93 });
    this.#vcpu.boot({
      mode: 'real', rip: r.ip ?? 0, rsp: r.sp ?? 0, rflags: (r.flags ?? 0) & FLAGS_286 | 2,
      registers: { rax: r.ax ?? 0, rbx: r.bx ?? 0, rcx: r.cx ?? 0, rdx: r.dx ?? 0, rbp: r.bp ?? 0, rsi: r.si ?? 0, rdi: r.di ?? 0 },
      segments: { cs: segment(r.cs), ss: segment(r.ss), ds: segment(r.ds), es: segment(r.es), fs: segment(), gs: segment() },
      cr0: 0, cr3: 0, cr4: 0, efer: 0, gdtr: { base: 0, limit: 0xffff }, idtr: { base: 0, limit: 0x3ff },
    });
    state.setNumber('dr', NOWHERE);
    state.setNumber('dr', DR7_ENABLED, 7);
    state.set('modeKey', state.get('modeKey') | 8);
    this.#vector = undefined;
    const start = r.ip ?? 0, target = (after.registers.ip ?? start) - 1 & 0xffff;
    for (let step = 0; step < MAX_STEPS; step++) {
      const result = this.#vcpu.run(1);
      if (result !== 'slice' || this.#vector !== undefined || state.number('rip') !== start || target === start) break;
    }
    return { registers: this.#registers(), vector: this.#vector };
  }

  #registers(): Record<string, number> {
    const { state } = this.#vcpu, values: Record<string, number> = { ip: state.get('rip') & 0xffff, flags: readFlags(state) & 0xffff };
    for (const [name, index] of Object.entries(GPR)) values[name] = state.lo('gpr', index) & 0xffff;
    for (const [name, index] of Object.entries(SEGMENT)) values[name] = state.get('selector', index);
    return values;
  }

  /** Clears what a case has used. */
  forget({ before, after }: SingleStepCase): void {
    for (const [at] of [...before.memory, ...after.memory]) this.#memory.guest.write8(at, 0);
  }
}
