/** @hot Derives what generated code reads (decode mode, masks, effective segments) from the architectural registers. */
import { DEBUGCTL } from '@vmm/spec';
import { STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';
import { ATTRIBUTE, CR0, DR7_ENABLES, EFER, EFLAGS, SEG } from './architecture.ts';
import type { Cpu } from './cpu.ts';

/** Bits of `modeKey`: what decoding and address generation depend on, part of every block's key. */
export const MODE = {
  CODE_SIZE: 0x3, CODE16: 0, CODE32: 1, CODE64: 2, STACK32: 0x4, SINGLE_STEP: 0x8, USER: 0x10, PROTECTED: 0x20, VM86: 0x40,
  /** ES, SS and DS need no check and have base 0, CS has base 0 and no limit: translated code leaves segments out. */
  FLAT: 0x80,
  /** CS has a limit that code can run past. */
  LIMITED: 0x100,
} as const;

const CODE_SIZES = [16, 32, 64] as const;
/** Width of code in a mode. */
export const codeSizeOf = (modeKey: number): 16 | 32 | 64 => CODE_SIZES[modeKey & MODE.CODE_SIZE] ?? 16;
/** No segment but FS and GS adds or checks anything. */
export const hasFlatSegments = (modeKey: number): boolean => (modeKey & (MODE.CODE64 | MODE.FLAT)) !== 0;

/** Bits of an effective segment's checks word; 0 means that no check is needed. */
export const CHECK = { LIMIT: 1, NO_WRITE: 2, NO_READ: 4, UNUSABLE: 8, EXPAND_DOWN: 16, BIG: 32 } as const;

/** Mode bits whose change alters the effective form of every segment. */
export const SEGMENT_MODE = MODE.CODE64 | MODE.PROTECTED | MODE.VM86;
/** The interrupt shadow and what asks for one instruction at a time. */
export const STEP_FLAGS = EFLAGS.TF | EFLAGS.RF;

function checksOf(attributes: number, limit: number, isProtected: boolean): number {
  if (attributes & ATTRIBUTE.UNUSABLE || !(attributes & ATTRIBUTE.P)) return CHECK.UNUSABLE;
  const isCode = (attributes & ATTRIBUTE.CODE) !== 0;
  let checks = 0;
  if (isProtected) {
    if (isCode || !(attributes & ATTRIBUTE.WRITABLE)) checks |= CHECK.NO_WRITE;
    if (isCode && !(attributes & ATTRIBUTE.READABLE)) checks |= CHECK.NO_READ;
  }
  if (!isCode && attributes & ATTRIBUTE.EXPAND_DOWN) return checks | CHECK.EXPAND_DOWN | (attributes & ATTRIBUTE.DB ? CHECK.BIG : 0);
  return limit === -1 ? checks : checks | CHECK.LIMIT;
}

/** Recomputes the slot that generated code uses for segment `index` (ES..GS). */
export function refreshSegment(state: StateView, index: number): void {
  const key = state.word(STATE.modeKey);
  if (key & MODE.CODE64) {
    if (index >= SEG.FS) state.setPair(STATE.segment + 8 * (2 * index), state.word(STATE.segmentBase + 8 * index), state.word(STATE.segmentBase + 8 * index + 4));
    else state.setPair(STATE.segment + 8 * (2 * index), 0, 0);
    state.setPair(STATE.segment + 8 * (2 * index + 1), -1, 0);
    return;
  }
  const limit = state.word(STATE.segmentLimit + 4 * index);
  const isProtected = (key & (MODE.PROTECTED | MODE.VM86)) === MODE.PROTECTED;
  state.setPair(STATE.segment + 8 * (2 * index), state.word(STATE.segmentBase + 8 * index), 0);
  state.setPair(STATE.segment + 8 * (2 * index + 1), limit, checksOf(state.word(STATE.segmentAttributes + 4 * index), limit, isProtected));
  if (index < SEG.FS) refreshFlat(state);
}

const isFlat = (state: StateView, index: number): boolean =>
  state.word(STATE.segment + 16 * index) === 0 && state.word(STATE.segment + 16 * index + 12) === 0;

function refreshFlat(state: StateView): void {
  const key = state.word(STATE.modeKey) & ~(MODE.FLAT | MODE.LIMITED);
  if ((state.word(STATE.segment + 16 * SEG.CS + 12) & CHECK.LIMIT) !== 0) { state.setWord(STATE.modeKey, key | MODE.LIMITED); return; }
  const flat = isFlat(state, SEG.DS) && isFlat(state, SEG.SS) && isFlat(state, SEG.ES) && state.word(STATE.segment + 16 * SEG.CS) === 0;
  state.setWord(STATE.modeKey, flat ? key | MODE.FLAT : key);
}

export function refreshSegments(state: StateView): void {
  for (let index = SEG.ES; index <= SEG.GS; index++) refreshSegment(state, index);
}

/** Whether blocks must hold one instruction: trap flag, interrupt shadow, resume flag, armed breakpoints, or branches that are recorded. */
function mustSingleStep(state: StateView): boolean {
  return (state.word(STATE.eflags) & STEP_FLAGS) !== 0 || state.word(STATE.inhibit) !== 0 || (state.word(STATE.dr + 8 * 7) & DR7_ENABLES) !== 0 || (state.word(STATE.debugControl) & DEBUGCTL.LBR) !== 0;
}

/** Recomputes only the single-step bit, after a change of TF, RF, the interrupt shadow or DR7. */
export function refreshSingleStep(state: StateView): void {
  const key = state.word(STATE.modeKey) & ~MODE.SINGLE_STEP;
  state.setWord(STATE.modeKey, mustSingleStep(state) ? key | MODE.SINGLE_STEP : key);
}

/** Call after anything that changes CS, SS, CPL, EFLAGS (VM, TF, AC), CR0.PE, EFER.LMA. Other data segments refresh their own slot. */
export function recomputeMode(cpu: Cpu): void {
  const state = cpu.state;
  const before = state.word(STATE.modeKey);
  const cs = state.word(STATE.segmentAttributes + 4 * SEG.CS);
  const isCode64 = (state.word(STATE.efer) & EFER.LMA) !== 0 && (cs & ATTRIBUTE.L) !== 0;
  const isBigStack = (state.word(STATE.segmentAttributes + 4 * SEG.SS) & ATTRIBUTE.DB) !== 0;
  let key: number = isCode64 ? MODE.CODE64 : cs & ATTRIBUTE.DB ? MODE.CODE32 : MODE.CODE16;
  if (!isCode64 && isBigStack) key |= MODE.STACK32;
  if (state.word(STATE.cr0) & CR0.PE) key |= state.word(STATE.eflags) & EFLAGS.VM ? MODE.VM86 : MODE.PROTECTED;
  if (state.word(STATE.cpl) === 3) key |= MODE.USER;
  if (mustSingleStep(state)) key |= MODE.SINGLE_STEP;
  state.setWord(STATE.modeKey, key);
  state.setPair(STATE.linearMask, -1, isCode64 ? -1 : 0);
  state.setPair(STATE.stackMask, isCode64 || isBigStack ? -1 : 0xffff, isCode64 ? -1 : 0);
  if ((before ^ key) & SEGMENT_MODE) refreshSegments(state);
  else {
    refreshSegment(state, SEG.CS);
    refreshSegment(state, SEG.SS);
  }
  cpu.mmu.contextChanged();
}

export function isCode64(state: StateView): boolean { return (state.word(STATE.modeKey) & MODE.CODE64) !== 0; }
export function isLongMode(state: StateView): boolean { return (state.word(STATE.efer) & EFER.LMA) !== 0; }
export function isProtected(state: StateView): boolean { return (state.word(STATE.cr0) & CR0.PE) !== 0; }
export function isVm86(state: StateView): boolean { return (state.word(STATE.modeKey) & MODE.VM86) !== 0; }
/** Protected mode proper: neither real nor virtual-8086. */
export function hasDescriptors(state: StateView): boolean { return (state.word(STATE.modeKey) & MODE.PROTECTED) !== 0; }
