import { assemble } from '@vmm/assembler';
import { cliffsSource } from './cliffs.asm.ts';

/** The image, multiboot 1: what QEMU's `-kernel`, v86's `multiboot` and `vmm run --kernel` take. */
export function cliffsImage(): Uint8Array {
  return assemble(cliffsSource()).bytes;
}
