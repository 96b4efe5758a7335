import { VmmError } from '@vmm/spec';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
const UNIT: Readonly<Record<string, number>> = { '': MIB, B: 1, K: KIB, M: MIB, G: GIB };

/** `'256M'`, `'1.5G'`, `'65536K'`; a bare number is MiB, as everywhere in this field. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([bkmg]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = match === null ? NaN : Number(match[1]) * (UNIT[(match[2] ?? '').toUpperCase()] ?? NaN);
  if (Number.isInteger(bytes)) return bytes;
  throw new VmmError('OPTION_INVALID', `Cannot read "${text}" as a size`, { hint: 'Write for example 256M or 1G.' });
}

export function formatSize(bytes: number): string {
  if (bytes % GIB === 0 && bytes > 0) return `${bytes / GIB} GiB`;
  if (bytes >= MIB) return `${Number((bytes / MIB).toFixed(1))} MiB`;
  return bytes >= KIB ? `${Number((bytes / KIB).toFixed(1))} KiB` : `${bytes} bytes`;
}
