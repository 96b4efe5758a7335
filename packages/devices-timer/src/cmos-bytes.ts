export interface CmosBytesOptions {
  /** RAM below 4 GiB. */
  readonly lowMemoryBytes: number;
  /** RAM from 4 GiB on. Default 0. */
  readonly highMemoryBytes?: number;
  /** Default 1. */
  readonly vcpus?: number;
  /** Boot order for SeaBIOS, first digit first: 1 floppy, 2 disk, 3 CD-ROM, 4 network. Default disk, CD-ROM, floppy. */
  readonly bootOrder?: readonly number[];
}

const KIB = 1024;
const MIB = 1024 * KIB;
const BASE_MEMORY_KIB = 640;

/** What a BIOS leaves in, or expects from, the CMOS: SeaBIOS `rtc.h`, and PC/AT technical reference for the older half. */
export function cmosBytes(options: CmosBytesOptions): Record<number, number> {
  const { lowMemoryBytes, highMemoryBytes = 0, vcpus = 1, bootOrder = [2, 3, 1] } = options;
  const extendedKib = Math.min(Math.max(0, lowMemoryBytes - MIB) / KIB, 0xffff);
  const above16Mib = Math.min(Math.max(0, lowMemoryBytes - 16 * MIB) / (64 * KIB), 0xffff);
  const above4Gib = Math.min(highMemoryBytes / (64 * KIB), 0xff_ffff);
  const [first = 0, second = 0, third = 0] = bootOrder;
  return {
    0x14: 0x02, // equipment: x87, no floppy, display with its own BIOS
    ...littleEndian(0x15, BASE_MEMORY_KIB, 2),
    ...littleEndian(0x17, extendedKib, 2),
    ...littleEndian(0x30, extendedKib, 2),
    ...littleEndian(0x34, above16Mib, 2),
    0x38: third << 4,
    0x3d: first | (second << 4),
    ...littleEndian(0x5b, above4Gib, 3),
    0x5f: vcpus - 1,
  };
}

function littleEndian(index: number, value: number, bytes: number): Record<number, number> {
  return Object.fromEntries(Array.from({ length: bytes }, (_, i) => [index + i, (Math.floor(value) >>> (8 * i)) & 0xff]));
}
