import { readFlags } from '@vmm/cpu';
import { STATE, STATE_FIELDS, STATE_SIZE_BYTES, StateView } from '@vmm/state';
import type { StateField } from '@vmm/state';

/** Fields that the guest can see, now or later. Flags are compared as EFLAGS. A test keeps both lists complete. */
export const ARCHITECTURAL: readonly StateField[] = [
  'gpr', 'rip', 'cpl', 'inhibit', 'halted', 'cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer', 'xcr0', 'dr', 'debugControl', 'selector', 'segmentBase', 'segmentLimit', 'segmentAttributes',
  'gdtrBase', 'idtrBase', 'gdtrLimit', 'idtrLimit', 'star', 'lstar', 'cstar', 'fmask', 'kernelGsBase', 'tscAux', 'sysenterCs', 'sysenterEsp', 'sysenterEip',
  'apicBase', 'pat', 'tscOffset', 'miscEnable', 'pkru', 'pkrs', 'fpr', 'fpuControl', 'fpuStatus', 'fpuTop', 'fpuTags', 'fpuIp', 'fpuDp', 'fpuCs', 'fpuDs', 'fpuOpcode', 'mxcsr', 'vector', 'segment', 'linearMask', 'stackMask',
];
/** Fields that an engine keeps for itself: they say how the guest is run, not where it is. */
export const INTERNAL: readonly string[] = [
  'zero', 'tlbFlip', 'systemTag', 'eventCare', 'deliveredFaults', 'timeStamp', 'timeStampBudget', 'timeStampTolerance', 'interruptWaits', 'mapVersion', 'jumpVersion', 'computedNext', 'regionEntries', 'returnTo', 'callDepth', 'callsInDoubt', 'flagResult', 'flagAux', 'flagKind', 'flagA', 'flagB', 'eflags', 'tlbTag', 'blockRip', 'pending', 'budget', 'currentRecord', 'modeKey',
  'faultVector', 'faultError', 'faultAddress', 'instructions', 'exitReason', 'scratch',
];
const WORDS = { i64: 2, i32: 1, f80: 4, v256: 8 } as const;
const REGISTERS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'];
const RIP_WORD = STATE.rip >> 2, GENERAL_WORDS = 32;

/** Where two states differ: a register and its value in each. */
export interface Difference { readonly register: string; readonly values: readonly [string, string] }

/** A vCPU's state block at one moment. */
export class Snapshot {
  readonly words: Int32Array<ArrayBuffer>;
  constructor(state: StateView) {
    this.words = state.i32.slice(state.base >> 2, state.base + STATE_SIZE_BYTES >> 2) as Int32Array<ArrayBuffer>;
  }

  get view(): StateView { return new StateView(this.words.buffer, 0); }
  get rip(): bigint { return this.view.big('rip'); }

  restoreTo(state: StateView): void { state.i32.set(this.words, state.base >> 2); }

  /** Whether a live vCPU has these general registers and this instruction pointer. Cheap: asked after every instruction. */
  isAt(state: StateView): boolean {
    const { words } = this, base = state.base >> 2, live = state.i32;
    if (live[base + RIP_WORD] !== words[RIP_WORD] || live[base + RIP_WORD + 1] !== words[RIP_WORD + 1]) return false;
    for (let i = 0; i < GENERAL_WORDS; i++) if (live[base + i] !== words[i]) return false;
    return true;
  }

  /** How many words of the general registers differ. */
  distance(state: StateView): number {
    const { words } = this, base = state.base >> 2, live = state.i32;
    let count = 0;
    for (let i = 0; i < GENERAL_WORDS; i++) if (live[base + i] !== words[i]) count++;
    return count;
  }

  /** Every architectural register that differs; the first value is this snapshot's. */
  differences(state: StateView): Difference[] {
    const found: Difference[] = [];
    const base = state.base >> 2, live = state.i32, mine = this.view;
    for (const field of ARCHITECTURAL) {
      const { kind, count = 1 } = STATE_FIELDS[field], size = WORDS[kind];
      for (let i = 0; i < count; i++) {
        const at = (STATE[field] >> 2) + i * size;
        for (let word = 0; word < size; word++) {
          if (this.words[at + word] === live[base + at + word]) continue;
          found.push({ register: nameOf(field, i), values: [hexOf(this.words, at, size), hexOf(live, base + at, size)] });
          break;
        }
      }
    }
    const flags = [readFlags(mine), readFlags(state)] as const;
    if (flags[0] !== flags[1]) found.push({ register: 'rflags', values: [flags[0].toString(16), flags[1].toString(16)] });
    return found;
  }
}

function nameOf(field: StateField, index: number): string {
  if (field === 'gpr') return REGISTERS[index] ?? field;
  if (field === 'vector') return `ymm${index}`;
  if (field.startsWith('segment') || field === 'selector') return `${SEGMENTS[index] ?? index}.${field}`;
  const { count } = STATE_FIELDS[field];
  return count === 1 ? field : `${field}[${index}]`;
}

function hexOf(words: Int32Array, at: number, count: number): string {
  let text = '';
  for (let i = count - 1; i >= 0; i--) text += ((words[at + i] ?? 0) >>> 0).toString(16).padStart(8, '0');
  return text.replace(/^0+(?=.)/, '');
}
