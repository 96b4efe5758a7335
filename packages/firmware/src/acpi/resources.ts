/** Resource descriptors, the contents of `_CRS` buffers. ACPI 6.4 §6.4 */
import { type Aml, buffer, little } from './aml.ts';

/** §6.4.2.5: I/O port range, 16-bit decode. */
export function io(base: number, length: number): Aml {
  return [0x47, 1, ...little(base, 2), ...little(base, 2), /* alignment */ 1, length];
}

/** §6.4.2.1: an ISA interrupt, edge, active high. */
export function irq(number: number): Aml {
  return [0x22, ...little(1 << number, 2)];
}

/** §6.4.3.5: general flags: minimum and maximum fixed; resource producer, positive decode. */
const FIXED_RANGE = 0x0c;
const TYPE = { MEMORY: 0, IO: 1, BUS: 2 } as const;
const READ_WRITE_MEMORY = 1;
const ENTIRE_IO_RANGE = 3;

export function busNumbers(first: number, last: number): Aml {
  return [0x88, ...little(0x0d, 2), TYPE.BUS, FIXED_RANGE, 0, ...range(first, last, 2)];
}

export function ioWindow(first: number, last: number): Aml {
  return [0x88, ...little(0x0d, 2), TYPE.IO, FIXED_RANGE, ENTIRE_IO_RANGE, ...range(first, last, 2)];
}

export function memoryWindow(first: number, last: number): Aml {
  return [0x87, ...little(0x17, 2), TYPE.MEMORY, FIXED_RANGE, READ_WRITE_MEMORY, ...range(first, last, 4)];
}

/** Granularity, minimum, maximum, translation offset, length. */
function range(first: number, last: number, size: number): Aml {
  return [...little(0, size), ...little(first, size), ...little(last, size), ...little(0, size), ...little(last - first + 1, size)];
}

/** A `_CRS` value: descriptors and the end tag. §6.4.2.9 */
export function resourceTemplate(descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0]);
}
