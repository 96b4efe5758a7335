/** A non-canonical address is #GP(0), or #SS(0) where the access goes through SS. The MMU does not know which; the instruction tells. SDM vol 1 §3.3.7.1 */
import { EVENT_CARE, STATE } from '@vmm/state';
import { GPR, SEG, VECTOR } from './architecture.ts';
import { CodeBytes } from './code-bytes.ts';
import type { Cpu } from './cpu.ts';

const USES_STACK = /^(push|pop|call|ret|enter|leave|iret|int)/, USES_FRAME = /^(enter|leave)/;
/** What an instruction reaches from its stack pointer: a frame with all of a nested ENTER. */
const STACK_REACH = 0x400n;

export class RefusedAddress {
  readonly #cpu: Cpu;
  readonly #code: CodeBytes;

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    this.#code = new CodeBytes(cpu);
  }

  /** The MMU has met one: until `correct`, generated code delivers no fault. */
  note(): void { this.#care |= EVENT_CARE.refused; }

  /** With RIP at the instruction that faulted: makes #GP #SS where it must be. */
  correct(): void {
    if ((this.#care & EVENT_CARE.refused) === 0) return;
    this.#care &= ~EVENT_CARE.refused;
    const { state } = this.#cpu;
    if (state.word(STATE.faultVector) !== VECTOR.GP) return;
    // looking at the instruction forgets the fault
    const isStack = this.#wentThroughStack(state.big('faultAddress'));
    state.setWord(STATE.faultVector, isStack ? VECTOR.SS : VECTOR.GP);
    state.setWord(STATE.faultError, 0);
  }

  get #care(): number { return this.#cpu.state.word(STATE.eventCare); }
  set #care(value: number) { this.#cpu.state.setWord(STATE.eventCare, value); }

  #wentThroughStack(address: bigint): boolean {
    if (this.#code.decode() <= 0) return false;
    const { row, seg } = this.#code.instruction, { state } = this.#cpu;
    const isNear = (register: number): boolean => BigInt.asUintN(64, address - state.big('gpr', register) + STACK_REACH) <= 2n * STACK_REACH;
    if (USES_STACK.test(row.mnemonic) && isNear(GPR.RSP) || USES_FRAME.test(row.mnemonic) && isNear(GPR.RBP)) return true;
    return seg === SEG.SS;
  }
}
