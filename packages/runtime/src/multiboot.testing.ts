import { assemble } from '@vmm/assembler';

export const LOAD = 0x10_0000;
/** A multiboot image (32-bit protected mode) that ends by the debug-exit port when control runs into its end. */
export function multibootKernel(code: string): Uint8Array {
  return assemble(`
    bits 32
    org ${LOAD}
    dd 0x1badb002, 0x10000, ${-(0x1bad_b002 + 0x1_0000) >>> 0}
    dd ${LOAD}, ${LOAD}, 0, 0, start
start:
    mov esp, 0x90000
${code}
    mov al, 0
    out 0xf4, al
    jmp $
`).bytes;
}
