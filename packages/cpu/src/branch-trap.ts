/** What DEBUGCTL does with branches: BTF steps on them, LBR records them. SDM vol 3B §18.4 */
import { OpKind } from '@vmm/decoder';
import type { Instruction } from '@vmm/decoder';
import { DEBUGCTL, LBR_SELECT } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { isConditionMet } from './branch-condition.ts';
import { CodeBytes } from './code-bytes.ts';
import type { Cpu } from './cpu.ts';
import { LastBranches } from './last-branches.ts';
import { refreshSingleStep } from './mode.ts';

const BRANCHES = /^(j|call|ret|loop|iret|int|syscall|sysret|sysenter|sysexit|rsm)/;
/** Taken always. */
const CERTAIN = /^(jmp|call|ret|iret|int(?!o)|syscall|sysret|sysenter|sysexit|rsm)/;
/** Software interrupts are recorded as events. */
const EVENTS = /^int/;

/** What `LBR_SELECT` calls a branch. */
function kindOf({ row, opKind }: Instruction): number {
  const isRelative = opKind[0] === OpKind.rel;
  switch (row.mnemonic) {
    case 'call': return isRelative ? LBR_SELECT.NEAR_REL_CALL : LBR_SELECT.NEAR_IND_CALL;
    case 'jmp': return isRelative ? LBR_SELECT.NEAR_REL_JMP : LBR_SELECT.NEAR_IND_JMP;
    case 'ret': return LBR_SELECT.NEAR_RET;
    default: return CERTAIN.test(row.mnemonic) ? LBR_SELECT.FAR_BRANCH : LBR_SELECT.JCC;
  }
}

/** While single-stepping with BTF or LBR: what the instruction under way is, and whether it is a branch that is taken. */
export class BranchTrap {
  readonly last: LastBranches;
  readonly #cpu: Cpu;
  readonly #code: CodeBytes;
  #isTaken = false;
  #isEvent = false;
  #kind = 0;
  #fromLo = 0;
  #fromHi = 0;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#code = new CodeBytes(cpu);
    this.last = new LastBranches(cpu.model.lastBranches);
  }

  get #control(): number { return this.#cpu.state.word(STATE.debugControl); }
  set #control(value: number) {
    this.#cpu.state.setWord(STATE.debugControl, value);
    refreshSingleStep(this.#cpu.state);
    this.#cpu.requestAttention();
  }

  /** Whether the trap flag means branches now. */
  get isOn(): boolean { return (this.#control & DEBUGCTL.BTF) !== 0; }
  get isRecording(): boolean { return (this.#control & DEBUGCTL.LBR) !== 0; }
  /** A write of DEBUGCTL. */
  control(value: number): void { this.#control = value; }

  /** Before an instruction. */
  look(): void {
    const { state } = this.#cpu, { instruction } = this.#code, mnemonic = this.#code.decode() > 0 ? instruction.row.mnemonic : '';
    this.#isTaken = BRANCHES.test(mnemonic) && (CERTAIN.test(mnemonic) || isConditionMet(this.#cpu, instruction));
    this.#isEvent = EVENTS.test(mnemonic);
    if (this.#isTaken) this.#kind = kindOf(instruction);
    this.#fromLo = state.word(STATE.rip);
    this.#fromHi = state.word(STATE.rip + 4);
  }

  /** After it: whether it was a branch that was taken, be it to the next instruction. */
  get wasTaken(): boolean { return this.#isTaken; }
  /** After it, while recording. */
  record(): void {
    const { state } = this.#cpu;
    if (this.wasTaken && !this.#isEvent) this.last.branch(this.#kind, state.word(STATE.cpl), this.#fromLo, this.#fromHi, state.word(STATE.rip), state.word(STATE.rip + 4));
  }
  /** An event has been delivered to the handler at RIP, from the instruction at `from`. */
  recordEvent(fromLo: number, fromHi: number): void {
    const { state } = this.#cpu;
    this.last.event(state.word(STATE.cpl), fromLo, fromHi, state.word(STATE.rip), state.word(STATE.rip + 4));
  }

  /** Every debug exception switches both off. */
  end(): void {
    if (this.isOn || this.isRecording) this.#control &= ~(DEBUGCTL.BTF | DEBUGCTL.LBR);
  }
}
