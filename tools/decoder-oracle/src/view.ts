/** What both decoders are compared by: one instruction in a neutral spelling. */
export interface View {
  readonly valid: boolean;
  readonly length: number;
  readonly mnemonic: string;
  /** Operands in one notation: `eax`, `ah`, `[ds:rbx+rcx*4+10h]:4`, `0ffh`, `si:4`, … */
  readonly operands: readonly string[];
  /** lock, rep, repne as they take effect. */
  readonly prefixes: string;
}

export const INVALID_VIEW: View = { valid: false, length: 0, mnemonic: '', operands: [], prefixes: '' };

export function sameView(a: View, b: View): boolean {
  if (!a.valid || !b.valid) return a.valid === b.valid;
  return a.length === b.length && a.mnemonic === b.mnemonic && a.prefixes === b.prefixes && a.operands.join() === b.operands.join();
}

export function describe(view: View): string {
  return view.valid ? `${view.prefixes}${view.mnemonic} ${view.operands.join(', ')} (${view.length})` : 'invalid';
}

const LOW = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'];
const WORD = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];

export function gprName(number: number, sizeBytes: number): string {
  if (number >= 8) return `r${number}${({ 1: 'b', 2: 'w', 4: 'd' } as Record<number, string>)[sizeBytes] ?? ''}`;
  if (sizeBytes === 1) return LOW[number] ?? '?';
  const name = WORD[number] ?? '?';
  return sizeBytes === 2 ? name : sizeBytes === 4 ? `e${name}` : `r${name}`;
}

export const HIGH_NAMES = ['', '', '', '', 'ah', 'ch', 'dh', 'bh'];
export const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

export function hexOf(value: bigint, bits: number): string {
  return BigInt.asUintN(bits, value).toString(16);
}

/** In 64-bit mode only FS and GS are segments: iced-x86 names an override that has no effect, we do not. */
export function segmentView(mode: 16 | 32 | 64, name: string): string {
  return mode === 64 && name !== 'fs' && name !== 'gs' ? 'flat' : name;
}
