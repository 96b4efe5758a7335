import { assemble } from '@vmm/assembler';

/** Adds 3 to a counter five times, writes a line and exits with the sum. */
const PROGRAM = {
  32: `
start:  mov ecx, 5
next:   add dword [counter], 3
        dec ecx
        jnz next
after:  mov eax, 4
        mov ebx, 1
        mov ecx, text
        mov edx, 5
        int 0x80
        mov eax, 1
        mov ebx, [counter]
leave_: int 0x80`,
  64: `
start:  mov ecx, 5
next:   add dword [counter], 3
        dec ecx
        jnz next
after:  mov eax, 1
        mov edi, 1
        mov esi, text
        mov edx, 5
        syscall
        mov eax, 60
        mov edi, [counter]
leave_: syscall`,
} as const;

const BASE = 0x40_0000, SPACE = 0x1000, EXECUTABLE = 2, I386 = 3, X86_64 = 62, LOAD = 1, RWX = 7;

/** Header and program header of an ELF file with one segment that may be written. ELF specification, figures 1-3 and 2-1 */
const HEADERS = {
  32: `
        dw ${String(EXECUTABLE)}, ${String(I386)}
        dd 1, start, 52, 0, 0
        dw 52, 32, 1, 0, 0, 0
        dd ${String(LOAD)}, 0, $$, $$, ${String(SPACE)}, ${String(SPACE)}, ${String(RWX)}, 0x1000`,
  64: `
        dw ${String(EXECUTABLE)}, ${String(X86_64)}
        dd 1
        dq start, 64, 0
        dd 0
        dw 64, 56, 1, 0, 0, 0
        dd ${String(LOAD)}, ${String(RWX)}
        dq 0, $$, $$, ${String(SPACE)}, ${String(SPACE)}, 0x1000`,
} as const;

export interface Debuggee {
  readonly elf: Uint8Array;
  /** Addresses of its labels. */
  at(label: string): string;
}

/** A program of a dozen instructions without symbols. */
export function makeDebuggee(bits: 32 | 64): Debuggee {
  const { bytes, symbols } = assemble(`
        bits ${String(bits)}
        org ${String(BASE)}
        db 0x7f, "ELF", ${String(bits / 32)}, 1, 1
        times 9 db 0${HEADERS[bits]}${PROGRAM[bits]}
text:   db "done", 10
        align 16
counter: dd 0
        times ${String(SPACE)}-($-$$) db 0`);
  return { elf: bytes, at: (label) => `0x${(symbols.get(label) ?? 0n).toString(16)}` };
}
