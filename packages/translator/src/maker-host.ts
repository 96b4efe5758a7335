/* @hot: words of machine memory by computed index. */
import { BlockTable, ExtensionModules, hasInstruction, lower, MODE } from '@vmm/cpu';
import type { FeatureName, HelperTypes, InterpreterGeometry, TranslationContext } from '@vmm/cpu';
import { TLB_ENTRY, TLB_USER_FLIP, VCPU_LAYOUT } from '@vmm/state';
import type { MakerSurroundings } from './region-maker.ts';

/** What another thread must know to make regions for a vCPU: plain data. */
export interface MakerConfig {
  readonly memory: SharedArrayBuffer;
  readonly privateBase: number;
  readonly geometry: InterpreterGeometry;
  readonly helperTypes: HelperTypes;
  readonly features: readonly FeatureName[];
}

const PAGE = 4096, WAYS_MASK = (VCPU_LAYOUT.tlbEntries - 1) * VCPU_LAYOUT.tlbEntryBytes;

export function makerConfig({ state, privateBase, handlers, features }: TranslationContext): MakerConfig {
  const { geometry, helperTypes } = handlers.modules;
  return { memory: state.u8.buffer as SharedArrayBuffer, privateBase, geometry, helperTypes, features: [...features] };
}

/**
 * What a maker on another thread sees: machine memory alone, which the vCPU goes on writing. What it reads may be old or torn. That makes a region poor,
 * not wrong: its code is compared when it is put in use, its pages' mappings whenever it is entered.
 */
export function remoteSurroundings({ memory, privateBase, geometry, helperTypes, features }: MakerConfig): MakerSurroundings {
  const u8 = new Uint8Array(memory), i32 = new Int32Array(memory), table = new BlockTable(i32, privateBase), has = new Set(features);
  return {
    u8, i32, privateBase, modules: new ExtensionModules(geometry, helperTypes),
    lower: (inst, modeKey) => lower(inst, modeKey, (row) => hasInstruction(has, row)),
    executions: (host, modeKey) => table.executions(host, modeKey),
    fetch: (lo, hi, modeKey) => {
      const host = inTlb(i32, privateBase + VCPU_LAYOUT.tlb, lo, hi, (modeKey & MODE.USER) !== 0);
      return host > 0 && host + PAGE <= u8.length ? host : 0;
    },
  };
}

/** By the TLB's entry for a page, of whatever address space: most often all have the same page there. 0 if it has none. */
function inTlb(i32: Int32Array, tlb: number, lo: number, hi: number, isUser: boolean): number {
  const entry = tlb + ((lo >>> 7 & WAYS_MASK) ^ (isUser ? TLB_USER_FLIP : 0)), tag = entry + TLB_ENTRY.execTag >> 2;
  const tagLo = i32[tag]!, tagHi = i32[tag + 1]!;
  if ((tagLo & tagHi) === -1 || tagHi !== hi || (tagLo ^ lo) >>> 12 !== 0) return 0;
  return (lo + i32[entry + TLB_ENTRY.addend >> 2]!) >>> 0;
}
