/** Guests of one sector, loaded at 0x7C00 in real mode: enough to misbehave. */
export function bootSector(...code: readonly number[]): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set(code);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

/** cli; jmp $ */
export const SPINS = bootSector(0xfa, 0xeb, 0xfe);
/** cli; hlt; jmp $-1 */
export const HALTS = bootSector(0xfa, 0xf4, 0xeb, 0xfd);
/** lidt [0x7C80], where a limit of 0 stands; ud2 */
export const TRIPLE_FAULTS = bootSector(0x0f, 0x01, 0x1e, 0x80, 0x7c, 0x0f, 0x0b);
/** mov al, 0x10; out 0xF4, al; jmp $ */
export const EXITS = bootSector(0xb0, 0x10, 0xe6, 0xf4, 0xeb, 0xfe);
/** mov dx, 0x3F8; mov al, 'A'; out dx, al; jmp back to the out */
export const FLOODS = bootSector(0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0xeb, 0xfd);
/** mov al, 6; mov dx, 0xCF9; out dx, al; jmp $ */
export const RESETS = bootSector(0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xeb, 0xfe);
