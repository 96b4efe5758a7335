/* @hot: words of machine memory by computed index. */
import { STATE, VCPU_LAYOUT } from '@vmm/state';
import type { StateView } from '@vmm/state';
import * as w from '@vmm/wasm';
import type { Expr } from '@vmm/wasm';

/** An answer of CPUID in vCPU memory: what was asked, the live state it depends on, and the four registers. Byte offsets. */
export const CPUID_ENTRY = { leaf: 0, subleaf: 4, cr4: 8, xcr0: 12, registers: 16, bytes: 32 } as const;
const MASK = VCPU_LAYOUT.cpuidEntries - 1, NOTHING = -1;

/** Number of the entry for a question; `cpuidSlot` is the same in generated code. */
function slotOf(leaf: number, subleaf: number): number { return leaf + (leaf >>> 26) + 8 * subleaf & MASK; }
export function cpuidSlot(leaf: Expr, subleaf: Expr): Expr {
  return w.and(w.add(w.add(leaf, w.shrU(leaf, w.i32(26))), w.shl(subleaf, w.i32(3))), w.i32(MASK));
}

/** Answers given by TypeScript, for generated code to give again. CR4 and XCR0 are compared there; whatever else changes an answer must call `clear`. */
export class CpuidCache {
  readonly #words: Int32Array;
  readonly #state: StateView;
  readonly #first: number;

  constructor(state: StateView) {
    this.#state = state;
    this.#words = state.i32;
    this.#first = state.base - VCPU_LAYOUT.state + VCPU_LAYOUT.cpuid >> 2;
    this.clear();
  }

  clear(): void { this.#words.fill(NOTHING, this.#first, this.#first + VCPU_LAYOUT.cpuidEntries * (CPUID_ENTRY.bytes >> 2)); }

  note(leaf: number, subleaf: number, eax: number, ebx: number, ecx: number, edx: number): void {
    const at = this.#first + slotOf(leaf, subleaf) * (CPUID_ENTRY.bytes >> 2), words = this.#words;
    words[at] = leaf;
    words[at + 1] = subleaf;
    words[at + 2] = this.#state.word(STATE.cr4);
    words[at + 3] = this.#state.word(STATE.xcr0);
    words[at + 4] = eax;
    words[at + 5] = ebx;
    words[at + 6] = ecx;
    words[at + 7] = edx;
  }
}
