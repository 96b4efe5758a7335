/** A small emitter of ACPI machine language: each function gives the bytes of one term. ACPI 6.4 §20.2 */
import { invariant } from '@vmm/spec';

export type Aml = readonly number[];

/** §20.2.3, Table 20-3 */
const OP = {
  ZERO: 0x00, ONE: 0x01, NAME: 0x08, BYTE: 0x0a, WORD: 0x0b, DWORD: 0x0c, STRING: 0x0d, QWORD: 0x0e, SCOPE: 0x10, BUFFER: 0x11, PACKAGE: 0x12,
  EXTENDED: 0x5b, EXTENDED_DEVICE: 0x82, ROOT: 0x5c, DUAL_NAME: 0x2e, MULTI_NAME: 0x2f,
} as const;

export function integer(value: number): Aml {
  if (value === 0) return [OP.ZERO];
  if (value === 1) return [OP.ONE];
  if (value <= 0xff) return [OP.BYTE, value];
  if (value <= 0xffff) return [OP.WORD, ...little(value, 2)];
  if (value <= 0xffff_ffff) return [OP.DWORD, ...little(value, 4)];
  return [OP.QWORD, ...little(value, 8)];
}

export function string(text: string): Aml {
  return [OP.STRING, ...ascii(text), 0];
}

export function buffer(bytes: readonly number[]): Aml {
  return withLength([OP.BUFFER], [...integer(bytes.length), ...bytes]);
}

export function packageOf(elements: readonly Aml[]): Aml {
  return withLength([OP.PACKAGE], [elements.length, ...elements.flat()]);
}

export function name(path: string, value: Aml): Aml {
  return [OP.NAME, ...nameString(path), ...value];
}

export function scope(path: string, terms: readonly Aml[]): Aml {
  return withLength([OP.SCOPE], [...nameString(path), ...terms.flat()]);
}

export function device(path: string, terms: readonly Aml[]): Aml {
  return withLength([OP.EXTENDED, OP.EXTENDED_DEVICE], [...nameString(path), ...terms.flat()]);
}

/** `PNP0A03` as the 32-bit number that `_HID` and `_CID` hold. §19.6.37 */
export function eisaId(id: string): Aml {
  invariant(/^[A-Z]{3}[0-9A-F]{4}$/.test(id), `"${id}" is an EISA id`);
  const letter = (index: number): number => id.charCodeAt(index) - 0x40;
  const letters = letter(0) << 10 | letter(1) << 5 | letter(2);
  const product = parseInt(id.slice(3), 16);
  return [OP.DWORD, letters >> 8, letters & 0xff, product >> 8, product & 0xff];
}

/** §20.2.2: `\_SB.PCI0`, `_CRS`; segments are padded with underscores. */
export function nameString(path: string): Aml {
  const isAbsolute = path.startsWith('\\');
  const segments = path.slice(isAbsolute ? 1 : 0).split('.').map((segment) => {
    invariant(/^[A-Z_][A-Z0-9_]{0,3}$/.test(segment), `"${segment}" is an ACPI name`);
    return ascii(segment.padEnd(4, '_'));
  });
  const prefix = segments.length === 1 ? [] : segments.length === 2 ? [OP.DUAL_NAME] : [OP.MULTI_NAME, segments.length];
  return [...(isAbsolute ? [OP.ROOT] : []), ...prefix, ...segments.flat()];
}

/** §20.2.4: a length that counts its own bytes. */
function withLength(opcode: readonly number[], body: readonly number[]): Aml {
  return [...opcode, ...packageLength(body.length), ...body];
}

function packageLength(bodyBytes: number): Aml {
  if (bodyBytes + 1 < 0x40) return [bodyBytes + 1];
  for (const extra of [1, 2, 3]) {
    const total = bodyBytes + 1 + extra;
    if (total < 2 ** (4 + 8 * extra)) return [extra << 6 | total & 0xf, ...little(total >> 4, extra)];
  }
  invariant(false, `AML term of ${bodyBytes} bytes fits 256 MiB`);
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

export function little(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
}
