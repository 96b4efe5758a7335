import { invariant, PCI_BAR, PCI_CONFIG } from '@vmm/spec';

/** A base address register as its function wants it. A 64-bit BAR takes the next register too. */
export interface Bar {
  /** 0 to 5, or 'rom' for the expansion ROM. */
  readonly index: 0 | 1 | 2 | 3 | 4 | 5 | 'rom';
  readonly kind: 'io' | 'memory' | 'memory64';
  /** A power of two. */
  readonly sizeBytes: number;
  readonly isPrefetchable?: boolean;
}

/** Where the guest has put a BAR; undefined while its decoding is off. */
export interface BarChange {
  readonly bar: Bar;
  readonly base: number | undefined;
}

const SMALLEST_IO = 4;
const SMALLEST_MEMORY = 16;
const TWO_32 = 0x1_0000_0000;

export function barOffset(bar: Bar): number {
  return bar.index === 'rom' ? PCI_CONFIG.EXPANSION_ROM : PCI_CONFIG.BAR0 + 4 * bar.index;
}

/** The bits that tell the kind and cannot be written. */
export function barFixedBits(bar: Bar): number {
  if (bar.kind === 'io') return PCI_BAR.IO;
  const prefetchable = bar.isPrefetchable === true ? PCI_BAR.PREFETCHABLE : 0;
  return bar.index === 'rom' ? 0 : prefetchable | (bar.kind === 'memory64' ? PCI_BAR.MEMORY_64 : 0);
}

/** Writable bits of the low and the high register: writing all ones reads back the size (PCI 3.0 §6.2.5.1). */
export function barWritable(bar: Bar): readonly [low: number, high: number] {
  const smallest = bar.kind === 'io' ? SMALLEST_IO : SMALLEST_MEMORY;
  invariant(Number.isInteger(Math.log2(bar.sizeBytes)) && bar.sizeBytes >= smallest, `BAR ${bar.index} has a legal size`);
  const low = bar.sizeBytes >= TWO_32 ? 0 : (TWO_32 - bar.sizeBytes) >>> 0;
  const high = bar.sizeBytes > TWO_32 ? (TWO_32 - bar.sizeBytes / TWO_32) >>> 0 : 0xffff_ffff;
  return [bar.index === 'rom' ? (low | PCI_BAR.ROM_ENABLE) >>> 0 : low, bar.kind === 'memory64' ? high : 0];
}

/** The address in the registers. */
export function barBase(bar: Bar, low: number, high: number): number {
  if (bar.kind === 'io') return (low & PCI_BAR.IO_MASK) >>> 0;
  const address = (low & (bar.index === 'rom' ? 0xffff_f800 : PCI_BAR.MEMORY_MASK)) >>> 0;
  return bar.kind === 'memory64' ? high * TWO_32 + address : address;
}
