const LOW8 = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const HIGH8 = ['', '', '', '', 'ah', 'ch', 'dh', 'bh'];
const WORD = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];

export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

/** `gprName(0, 4)` is `eax`. */
export function gprName(register: number, sizeBytes: number): string {
  if (register >= 8) return `r${register}${sizeBytes === 1 ? 'b' : sizeBytes === 2 ? 'w' : sizeBytes === 4 ? 'd' : ''}`;
  if (sizeBytes === 1) return LOW8[register] ?? '';
  const name = WORD[register] ?? '';
  return sizeBytes === 2 ? name : sizeBytes === 4 ? `e${name}` : `r${name}`;
}

/** AH, CH, DH, BH: registers 4..7 of byte instructions without REX. */
export function highByteName(register: number): string {
  return HIGH8[register] ?? '';
}
