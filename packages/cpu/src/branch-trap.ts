/** Single-stepping on branches: DEBUGCTL.BTF. SDM vol 3B §18.4.3 */
import { decode, Instruction } from '@vmm/decoder';
import { DEBUGCTL, MSR } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { SEG } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { MODE } from './mode.ts';

const LONGEST = 15, MODES = [16, 32, 64] as const;
const BRANCHES = /^(j|call|ret|loop|iret|int|syscall|sysret|sysenter|sysexit|rsm)/;

/** Whether the trap flag means branches now, and what the instruction under way is. Looked at only while single-stepping with BTF. */
export class BranchTrap {
  readonly #cpu: Cpu;
  readonly #instruction = new Instruction();
  readonly #bytes = new Uint8Array(LONGEST);
  #isBranch = false;
  #nextLo = 0;

  constructor(cpu: Cpu) { this.#cpu = cpu; }

  get isOn(): boolean { return this.#cpu.msrs.kept(MSR.DEBUGCTL) !== 0 && (this.#cpu.msrs.kept(MSR.DEBUGCTL) & DEBUGCTL.BTF) !== 0; }

  /** Before an instruction. */
  look(): void {
    const { state, mmu } = this.#cpu, rip = state.word(STATE.rip), base = state.word(STATE.segment + 16 * SEG.CS);
    let count = 0;
    for (; count < LONGEST; count++) {
      this.#bytes[count] = mmu.readSystem8(base + rip + count | 0, state.word(STATE.rip + 4));
      if (mmu.faulted) break;
    }
    state.setWord(STATE.faultVector, -1);
    const length = decode(this.#bytes, 0, count, MODES[state.word(STATE.modeKey) & MODE.CODE_SIZE] ?? 16, this.#instruction);
    this.#isBranch = length > 0 && BRANCHES.test(this.#instruction.row.mnemonic);
    this.#nextLo = rip + length | 0;
  }

  /** After it: whether it was a branch that was taken. */
  get wasTaken(): boolean { return this.#isBranch && this.#cpu.state.word(STATE.rip) !== this.#nextLo; }

  /** Every debug exception switches it off. */
  end(): void {
    const value = this.#cpu.msrs.kept(MSR.DEBUGCTL);
    if (value & DEBUGCTL.BTF) this.#cpu.msrs.keep(MSR.DEBUGCTL, value & ~DEBUGCTL.BTF, 0);
  }
}
