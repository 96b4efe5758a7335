/* @hot: the last instructions before each comparison go one by one. */
import { codeSizeOf, MODE } from '@vmm/cpu';
import type { Vcpu } from '@vmm/cpu';
import { decode, formatInstruction, Instruction } from '@vmm/decoder';
import { STATE } from '@vmm/state';
import { InputMismatch } from './tape.ts';
import type { ScriptedInterrupts } from './pair-member.ts';
import { Snapshot } from './snapshot.ts';
import type { Difference } from './snapshot.ts';

/** Why the follower cannot be where the other engine says that it is. */
export interface Miss {
  readonly reason: string;
  /** First value: the other engine's. Empty when the follower asked for another input. */
  readonly differences: readonly Difference[];
  /** The interpreter wanted more inputs than there are. */
  readonly isAfterEnd?: boolean;
  /** The last instructions of the interpreter, the latest last. */
  readonly recent: readonly string[];
}

const RECENT = 24;
const LONGEST_INSTRUCTION = 15;
const EXECUTE = 2;
/** Elements of one repeated instruction that an interrupt may have come after. */
const MOST_ELEMENTS = 0x100_0000;
/** A run of the interpreter ends with its block: so many instructions later than asked at most. */
const LONGEST_BLOCK = 64;

/** The interpreter, stopped exactly where another engine was: after so many instructions, and in a repeated one after so many elements. */
export class Follower {
  readonly vcpu: Vcpu;
  readonly #interrupts: ScriptedInterrupts;
  readonly #memory: Vcpu['memory'];
  #steps = 0;
  readonly #recent = new Int32Array(RECENT * 2);
  readonly #ripWord: number;
  readonly #modeWord: number;

  constructor(vcpu: Vcpu, interrupts: ScriptedInterrupts) {
    this.vcpu = vcpu;
    this.#interrupts = interrupts;
    this.#memory = vcpu.memory;
    this.#ripWord = vcpu.state.base + STATE.rip >> 2;
    this.#modeWord = vcpu.state.base + STATE.modeKey >> 2;
  }

  get instructions(): number { return this.vcpu.instructions; }

  /** One instruction, or one element of a repeated one. False: the guest is halted or shut down. */
  step(): boolean {
    const words = this.vcpu.state.i32;
    const at = this.#steps++ % RECENT * 2;
    this.#recent[at] = words[this.#ripWord]!;
    this.#recent[at + 1] = words[this.#ripWord + 1]!;
    words[this.#modeWord]! |= MODE.SINGLE_STEP;
    return this.vcpu.run(1) === 'slice';
  }

  /** Delivers an interrupt before the next instruction. */
  deliver(event: number | 'nmi'): void {
    this.#interrupts.raise(event);
    this.vcpu.run(0);
  }

  /** Runs until `instructions` have retired since power-on and the state is `target`'s. */
  follow(target: Snapshot, instructions: number): Miss | undefined {
    try {
      this.#runTo(instructions);
      const differences = this.#settle(target, instructions);
      if (differences.length === 0) return undefined;
      const reason = differences.some(({ register }) => register === 'rip') ? 'the engines are at different instructions' : 'the engines differ at the same instruction';
      return { reason, differences, recent: this.recent() };
    } catch (error) {
      if (!(error instanceof InputMismatch)) throw error;
      return { reason: error.message, differences: [], isAfterEnd: error.isAfterEnd, recent: this.recent() };
    }
  }

  #runTo(instructions: number): void {
    const { vcpu } = this;
    for (let left = instructions - vcpu.instructions; left > 0; left = instructions - vcpu.instructions) {
      if (left > LONGEST_BLOCK) {
        if (vcpu.run(left - LONGEST_BLOCK) !== 'slice') return;
      } else if (!this.step()) return;
    }
  }

  /** States with the same count: elements of a repeated instruction, and before and after the delivery of a fault. */
  #settle(target: Snapshot, instructions: number): readonly Difference[] {
    const { state } = this.vcpu;
    const here = new Snapshot(state);
    let best: readonly Difference[] | undefined;
    for (let i = 0; i < MOST_ELEMENTS; i++) {
      if (target.isAt(state)) {
        const differences = target.differences(state);
        if (differences.length === 0) return differences;
        best ??= differences;
      }
      if (!this.step() || this.vcpu.instructions !== instructions) break;
    }
    return best ?? target.differences(here.view);
  }

  /** Disassembly of the instructions executed last. */
  recent(): string[] {
    const lines: string[] = [];
    for (let i = Math.max(0, this.#steps - RECENT); i < this.#steps; i++) {
      const at = i % RECENT * 2;
      lines.push(this.disassemble(this.#recent[at]!, this.#recent[at + 1]!));
    }
    return lines;
  }

  /** One instruction at a linear address, as the present page tables show it. */
  disassemble(lo: number, hi: number): string {
    const address = BigInt.asUintN(64, BigInt(hi) << 32n | BigInt(lo >>> 0)), { vcpu } = this;
    const linear = BigInt.asUintN(64, address + vcpu.state.big('segment', 2));
    const gpa = vcpu.mmu.probe(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, EXECUTE);
    const text = address.toString(16);
    const available = gpa < 0 ? 0 : Math.min(LONGEST_INSTRUCTION, this.#memory.ramBytes - gpa);
    if (available <= 0) return `${text}: (not mapped)`;
    const bytes = this.#memory.guest.readBytes(gpa, available), instruction = new Instruction();
    const length = decode(bytes, 0, available, codeSizeOf(vcpu.state.get('modeKey')), instruction);
    return `${text}: ${length > 0 ? formatInstruction(instruction, { syntax: 'intel', address }) : '(no instruction)'}`;
  }
}
