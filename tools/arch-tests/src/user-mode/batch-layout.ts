/** The batch file that runner.c maps: header, code region, pristine data pages, cases. Offsets are runner.c's. */

/** Code size of a case, and how its segments are set up. */
export type CodeMode = 16 | 32 | 64;

/** Linear addresses on both sides. Data: two writable pages, then one that is read-only; nothing is mapped around them. */
export const CODE_AT = 0x1000_0000, DATA_AT = 0x2000_0000;
export const PAGE = 4096, CODE_BYTES = 0x10_0000, WRITABLE_BYTES = 2 * PAGE, PRISTINE_BYTES = 3 * PAGE;
/** The part of the data that each case brings along and that is compared byte by byte: across the border of the writable pages. */
export const WINDOW_OFFSET = PAGE - 128, WINDOW_BYTES = 256, WINDOW_AT = DATA_AT + WINDOW_OFFSET;
/** Each case has this much of the code region for itself, filled with HLT, which ends it by #GP. */
export const SLOT_BYTES = 256, HLT = 0xf4;
/** The first slot begins so that the code of each sixteenth one crosses into another page, at sixteen different places. */
const FIRST_SLOT = 176, SLOTS_PER_PAGE = PAGE / SLOT_BYTES;
export const LONGEST_CODE = SLOT_BYTES - 96;
/** Offset in the code region of a slot, and of the code in it. */
export const slotOffset = (index: number): number => FIRST_SLOT + index * SLOT_BYTES;
export const entryOffset = (index: number): number => 64 + (index / SLOTS_PER_PAGE & 15);
/** Linear address at which the case's code begins. */
export const codeAddress = (index: number): number => CODE_AT + slotOffset(index) + entryOffset(index);

export const HEADER = { cases: 0, writableCode: 4, fsBase: 8, gsBase: 16, ldt: 24, sizeBytes: 4096 } as const;
export const CASE = {
  gpr: 0, rip: 128, flags: 136, vector: 144, error: 148, address: 152, hash: 160, skip: 164, segments: 168, window: 256, sizeBytes: 512,
} as const;

export const FS_BASE = DATA_AT - 0x1240, GS_BASE = DATA_AT + 0x0f80;
/** 16-bit segments: data lies at offsets 4000h..6fffh, code begins at offset 0. */
export const DATA16_BASE = DATA_AT - 0x4000;

/** Descriptors of the LDT. `flags` as runner.c takes them: 1 = 32-bit, contents << 1 (2 = code), 8 = read-only or execute-only, 16 = limit in pages. */
export const LDT = [
  { base: FS_BASE, limit: 0xf_ffff, flags: 1 | 16 },
  { base: CODE_AT, limit: 0xffff, flags: 2 << 1 | 32 },
  { base: DATA16_BASE, limit: 0xffff, flags: 32 },
  { base: DATA_AT, limit: 0x1003, flags: 1 },
] as const;
const ldt = (index: number): number => index << 3 | 7;
/** ES CS SS DS FS GS at the start of a case. The 32- and 64-bit ones are Linux's. */
export const SELECTORS: Readonly<Record<CodeMode, readonly number[]>> = {
  64: [0, 0x33, 0x2b, 0, 0, 0],
  32: [0x2b, 0x23, 0x2b, 0x2b, ldt(0), ldt(3)],
  16: [ldt(2), ldt(1), ldt(2), ldt(2), ldt(0), ldt(3)],
};

/** What CS and the data segments add to an offset. */
export const codeBase = (mode: CodeMode): number => (mode === 16 ? CODE_AT : 0);
export const segmentBase = (mode: CodeMode, segment: number): number => {
  if (segment === 4) return FS_BASE;
  if (segment === 5) return mode === 64 ? GS_BASE : DATA_AT;
  return mode === 16 ? segment === 1 ? CODE_AT : DATA16_BASE : 0;
};
/** Slots in one batch: 16-bit code reaches 64 KiB only. */
export const slotsOf = (mode: CodeMode): number => (mode === 16 ? 0x1_0000 : CODE_BYTES) / SLOT_BYTES - 1;
