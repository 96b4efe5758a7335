import { PTE } from '@vmm/spec';
import type { PagingControls, PagingModel } from './controls.ts';
import type { PagingLevel } from './formats.ts';

/** Words per level in a compiled format. */
export const LEVEL_STRIDE = 8;
/** What each word is. Reserved bits come as pairs: low word, high word. */
export const LEVEL_WORD = { shift: 0, indexMask: 1, /** entry bits that make it a leaf here */ leafBits: 2, tableReserved: 3, leafReserved: 5 } as const;

const XD = 1 << 31;

/** Flattens a format for these control bits and this CPU model, so that a walk looks nothing up. */
export function compileLevels(controls: PagingControls, model: PagingModel): Int32Array {
  const { levels, entryBytes } = controls.format;
  const compiled = new Int32Array(levels.length * LEVEL_STRIDE);
  levels.forEach((level, i) => {
    const at = i * LEVEL_STRIDE;
    const large = mapsLarge(level, controls, model);
    compiled[at + LEVEL_WORD.shift] = level.shift;
    compiled[at + LEVEL_WORD.indexMask] = entryBytes === 8 ? 511 : 1023;
    compiled[at + LEVEL_WORD.leafBits] = large ? PTE.PS : 0;
    const high = entryBytes === 8 ? reservedHigh(controls, model) : 0;
    compiled[at + LEVEL_WORD.tableReserved] = !large && (level.large === 'never' || level.large === 'with-1g') ? PTE.PS : 0;
    compiled[at + LEVEL_WORD.tableReserved + 1] = high;
    compiled[at + LEVEL_WORD.leafReserved] = large ? reservedLarge(level, entryBytes, model) : 0;
    compiled[at + LEVEL_WORD.leafReserved + 1] = high;
  });
  return compiled;
}

function mapsLarge(level: PagingLevel, controls: PagingControls, model: PagingModel): boolean {
  switch (level.large) {
    case 'always': return true;
    case 'with-pse': return controls.pse;
    case 'with-1g': return model.gigabytePages ?? true;
    default: return false;
  }
}

/** High word of a 64-bit entry: address bits beyond the model's, bits 62:52 where the format says so, XD without NXE. */
function reservedHigh(controls: PagingControls, model: PagingModel): number {
  return (0xf_ffff & ~addressBitsHigh(model)) | (controls.format.highReserved ? 0x7ff0_0000 : 0) | (controls.noExecute ? 0 : XD);
}

/** Low word of a large entry: below the page's address, except the flags and PAT; for 4-MiB pages except the PSE-36 address bits. */
function reservedLarge(level: PagingLevel, entryBytes: number, model: PagingModel): number {
  const below = ((1 << level.shift) - 1) & ~0x1fff;
  return entryBytes === 8 ? below : below & ~((addressBitsHigh(model) & 0xff) << 13);
}

/** Which of address bits 51:32 the model has. */
function addressBitsHigh({ physicalAddressBits = 40 }: PagingModel): number {
  return (1 << Math.min(Math.max(physicalAddressBits - 32, 0), 20)) - 1;
}

/** SDM vol 3A §4.4.1: reserved bits of a PAE PDPTE, low and high word. */
export function reservedPdpte(model: PagingModel): { readonly lo: number; readonly hi: number } {
  return { lo: 0x1e6, hi: ~addressBitsHigh(model) };
}
