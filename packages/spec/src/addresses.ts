/**
 * Kinds of address that must never be mixed. All are plain numbers at run time, so they cost nothing.
 *
 * A `Gva` is the 64-bit linear address read as a signed integer: every canonical 48-bit address, kernel half included, is then
 * an exact number (0xffff_8000_0000_0000 is -2^47). Non-canonical and 57-bit addresses above 2^53 exist only inside the CPU.
 */
declare const kind: unique symbol;

/** Guest-virtual (linear) address. */
export type Gva = number & { readonly [kind]: 'gva' };
/** Guest-physical address: what a guest's page tables and devices call physical. */
export type Gpa = number & { readonly [kind]: 'gpa' };
/** Host-physical address: a byte offset into the machine memory. */
export type Hpa = number & { readonly [kind]: 'hpa' };

export function gva(address: number): Gva {
  return address as Gva;
}

export function gpa(address: number): Gpa {
  return address as Gpa;
}

export function hpa(address: number): Hpa {
  return address as Hpa;
}

/** The signed form of a 64-bit linear address given as two 32-bit words (either signedness). */
export function gvaFromWords(high: number, low: number): Gva {
  return ((high | 0) * 0x1_0000_0000 + (low >>> 0)) as Gva;
}

/** Upper 32 bits of a linear address, unsigned. */
export function gvaHigh(address: Gva): number {
  return Math.floor(address / 0x1_0000_0000) >>> 0;
}

/** Lower 32 bits of a linear address, unsigned. */
export function gvaLow(address: Gva): number {
  return address >>> 0;
}

/** `0xffffffff81000000`, or eight digits when the address fits 32 bits. */
export function formatGva(address: Gva): string {
  const low = hex8(gvaLow(address));
  const high = gvaHigh(address);
  return high === 0 ? `0x${low}` : `0x${hex8(high)}${low}`;
}

/** `0x00100000`; longer when needed. */
export function formatGpa(address: Gpa | Hpa): string {
  return `0x${address.toString(16).padStart(8, '0')}`;
}

function hex8(word: number): string {
  return word.toString(16).padStart(8, '0');
}
