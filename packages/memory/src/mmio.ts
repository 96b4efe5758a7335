export type MmioSize = 1 | 2 | 4;

/** Whoever answers guest-physical accesses that are not memory; device-kit's `MmioBus` is one. Values are unsigned and cut to the size. */
export interface MmioHandler {
  read(gpa: number, size: MmioSize): number;
  write(gpa: number, size: MmioSize, value: number): void;
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;

/** Nobody there: reads float high, writes vanish. */
export const NO_DEVICES: MmioHandler = {
  read: (_gpa, size) => ALL_ONES[size],
  write: () => undefined,
};

interface Region { readonly start: number; readonly end: number; readonly handler: MmioHandler }

/** Regions with a handler of their own, ahead of the machine's bus. */
export class MmioMap implements MmioHandler {
  bus: MmioHandler;
  #regions: Region[] = [];

  constructor(bus: MmioHandler) {
    this.bus = bus;
  }

  add(gpa: number, sizeBytes: number, handler: MmioHandler): void {
    this.remove(gpa);
    this.#regions.push({ start: gpa, end: gpa + sizeBytes, handler });
  }

  remove(gpa: number): void {
    this.#regions = this.#regions.filter((region) => region.start !== gpa);
  }

  read(gpa: number, size: MmioSize): number {
    return this.#find(gpa).read(gpa, size) >>> 0;
  }

  write(gpa: number, size: MmioSize, value: number): void {
    this.#find(gpa).write(gpa, size, value);
  }

  #find(gpa: number): MmioHandler {
    for (const region of this.#regions) if (gpa >= region.start && gpa < region.end) return region.handler;
    return this.bus;
  }
}
