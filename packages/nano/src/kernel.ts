import { KERNEL_IMAGE } from './image.ts';

/** The kernel's image, multiboot 1. */
export function nanoKernel(): Uint8Array<ArrayBuffer> {
  return KERNEL_IMAGE.slice();
}
