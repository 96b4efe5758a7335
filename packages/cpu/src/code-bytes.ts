/** The instruction at RIP, for the rare cases in which somebody wants to know more of it than generated code does. */
import { decode, Instruction } from '@vmm/decoder';
import { STATE } from '@vmm/state';
import { SEG } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { codeSizeOf } from './mode.ts';

const LONGEST = 15;

export class CodeBytes {
  readonly instruction = new Instruction();
  readonly #cpu: Cpu;
  readonly #bytes = new Uint8Array(LONGEST);

  constructor(cpu: Cpu) { this.#cpu = cpu; }

  /** Decodes into `instruction`; its length, or 0 or less where there is none. Faults met on the way are forgotten. */
  decode(): number {
    const { state, mmu } = this.#cpu, rip = state.word(STATE.rip), base = state.word(STATE.segment + 16 * SEG.CS);
    let count = 0;
    for (; count < LONGEST; count++) {
      this.#bytes[count] = mmu.readSystem8(base + rip + count | 0, state.word(STATE.rip + 4));
      if (mmu.faulted) break;
    }
    state.setWord(STATE.faultVector, -1);
    return decode(this.#bytes, 0, count, codeSizeOf(state.word(STATE.modeKey)), this.instruction);
  }
}
