import { ADDRESS } from './address-map.ts';

/** ACPI 6.4 §15.1, Table 15-1: address range types. */
export const E820_TYPE = { RAM: 1, RESERVED: 2, ACPI: 3, NVS: 4 } as const;

export interface E820Entry {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/** The memory map of a machine with this much RAM: holes for the EBDA and the BIOS below 1 MiB, nothing between RAM's end and 4 GiB. */
export function e820Map(ramBytes: number): E820Entry[] {
  const end = Math.min(ramBytes, ADDRESS.PCI_HOLE);
  const map: E820Entry[] = [
    { base: 0, length: ADDRESS.EBDA, type: E820_TYPE.RAM },
    { base: ADDRESS.EBDA, length: ADDRESS.VIDEO - ADDRESS.EBDA, type: E820_TYPE.RESERVED },
    { base: ADDRESS.ACPI, length: ADDRESS.HIGH_MEMORY - ADDRESS.ACPI, type: E820_TYPE.RESERVED },
  ];
  if (end > ADDRESS.HIGH_MEMORY) map.push({ base: ADDRESS.HIGH_MEMORY, length: end - ADDRESS.HIGH_MEMORY, type: E820_TYPE.RAM });
  return map;
}

/** End of the RAM range that begins at 1 MiB; 1 MiB when there is none. */
export function highMemoryEnd(map: readonly E820Entry[]): number {
  const high = map.find((entry) => entry.type === E820_TYPE.RAM && entry.base <= ADDRESS.HIGH_MEMORY && entry.base + entry.length > ADDRESS.HIGH_MEMORY);
  return high === undefined ? ADDRESS.HIGH_MEMORY : high.base + high.length;
}
