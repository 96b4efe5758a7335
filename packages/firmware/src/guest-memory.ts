/** Guest-physical memory as loaders see it: RAM from 0 up to `sizeBytes`, without holes. */
export interface GuestMemory {
  readonly sizeBytes: number;
  write(gpa: number, bytes: Uint8Array): void;
  /** A copy. */
  read(gpa: number, length: number): Uint8Array;
}
