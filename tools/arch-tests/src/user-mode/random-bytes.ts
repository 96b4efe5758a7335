/** Bytes that look like instructions: prefixes, an opcode map, any opcode, ModRM and more. */
import type { Random } from '../random.ts';
import type { CodeMode } from './batch-layout.ts';

const PREFIXES = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;

function opcodeMap(random: Random): number[] {
  const style = random.below(100), any = (): number => random.below(256);
  if (style < 38) return [];
  if (style < 74) return [0x0f];
  if (style < 86) return [0x0f, 0x38];
  if (style < 92) return [0x0f, 0x3a];
  return style < 95 ? [0xc5, any()] : [0xc4, (any() & 0xe0) | 1 + random.below(3), any()];
}

export function randomBytes(mode: CodeMode, random: Random): Uint8Array {
  const bytes: number[] = [];
  for (let n = random.below(100) < 50 ? 0 : random.below(random.below(100) < 5 ? 14 : 4); n > 0; n--) bytes.push(random.pick(PREFIXES));
  if (mode === 64 && random.below(100) < 30) bytes.push(0x40 | random.below(16));
  bytes.push(...opcodeMap(random));
  while (bytes.length < 15) bytes.push(random.below(256));
  return Uint8Array.from(bytes.slice(0, 15));
}
