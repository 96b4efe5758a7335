/** Access sizes in bytes. An 8-byte MMIO access reaches a device as two halves, low half first. */
export type AccessSize = 1 | 2 | 4;

/** A claim on I/O ports. */
export interface PortRange {
  readonly base: number;
  readonly length: number;
  /** The widest access the device takes; the bus splits wider ones into bytes, lowest port first. Default 1. */
  readonly access?: AccessSize;
}

/** A claim on guest-physical addresses. */
export interface MmioRange {
  readonly base: number;
  readonly length: number;
}

/**
 * A device as the board sees it: a pure object. It owns no timer, worker or memory, and it never throws on what a guest
 * does. Values are unsigned (`>>> 0`) and cut to the size; ports and addresses are absolute.
 */
export interface Device {
  readonly name: string;
  readonly ports?: readonly PortRange[];
  readonly mmio?: readonly MmioRange[];
  pioRead?(port: number, size: AccessSize): number;
  pioWrite?(port: number, size: AccessSize, value: number): void;
  mmioRead?(gpa: number, size: AccessSize): number;
  mmioWrite?(gpa: number, size: AccessSize, value: number): void;
  /** Power-on and hard reset (the RESET# pin). */
  reset(): void;
  /** A structured-cloneable snapshot; times in it are virtual, so it is valid on a clock restored to the same time. */
  save(): unknown;
  /** Takes what `save()` gave, in this process or another, and drives the output lines to match. */
  restore(snapshot: unknown): void;
}
