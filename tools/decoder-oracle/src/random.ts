/** xorshift32: the same byte strings for the same seed everywhere. */
export function randomSource(seed: number): () => number {
  let x = seed | 0 || 0x9e3779b9;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x3e, 0x64, 0x65, 0x48, 0x41, 0x44, 0x4f, 0x66, 0xf3, 0xf2];
const ESCAPES: readonly (readonly number[])[] = [[], [0x0f], [0x0f], [0x0f, 0x38], [0x0f, 0x3a], [0xc5], [0xc4], []];

/**
 * Fills `bytes` with `count` strings of 16 bytes. Half are plain random bytes, half start with prefixes and an opcode escape, so that
 * the rare maps are visited as often as the one-byte one.
 */
export function fillRandomStrings(bytes: Uint8Array, count: number, next: () => number): void {
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 16; k += 4) {
      const r = next();
      for (let j = 0; j < 4; j++) bytes[i * 16 + k + j] = r >>> (8 * j);
    }
    if ((i & 1) === 1) steer(bytes, i * 16, next());
  }
}

function steer(bytes: Uint8Array, start: number, choice: number): void {
  let at = start;
  for (let n = choice & 3; n > 1; n--) bytes[at++] = PREFIXES[(choice >>> (4 * n)) & 15] ?? 0;
  const escape = ESCAPES[(choice >>> 20) & 7] ?? [];
  for (const byte of escape) bytes[at++] = byte;
  // Three-byte VEX: a map that exists, so that most strings reach an opcode.
  if (escape[0] === 0xc4) bytes[at] = ((bytes[at] ?? 0) & 0xe0) | (((choice >>> 24) % 3) + 1);
}
