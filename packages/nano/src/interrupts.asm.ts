/** Descriptor table of interrupts, exception reports, the two PICs and the local APIC. Shared by both widths. */
import { VECTOR, VECTORS_WITH_ERROR_CODE } from '@vmm/spec';

const EXCEPTIONS = 32;
const IRQ_BASE = 0x20;
const SOFTWARE_VECTOR = 0x30;
const SPURIOUS_VECTOR = 0xff;
const COM1_IRQ = 4;

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  [VECTOR.DE]: '#DE divide error', [VECTOR.DB]: '#DB debug', [VECTOR.NMI]: 'NMI', [VECTOR.BP]: '#BP breakpoint', [VECTOR.OF]: '#OF overflow',
  [VECTOR.BR]: '#BR bound range', [VECTOR.UD]: '#UD invalid opcode', [VECTOR.NM]: '#NM no x87', [VECTOR.DF]: '#DF double fault',
  [VECTOR.TS]: '#TS invalid TSS', [VECTOR.NP]: '#NP segment not present', [VECTOR.SS]: '#SS stack segment', [VECTOR.GP]: '#GP general protection',
  [VECTOR.PF]: '#PF page fault', [VECTOR.MF]: '#MF x87 error', [VECTOR.AC]: '#AC alignment', [VECTOR.MC]: '#MC machine check', [VECTOR.XM]: '#XM SIMD error',
};

function pushesErrorCode(vector: number): boolean {
  return (VECTORS_WITH_ERROR_CODE >>> vector & 1) !== 0;
}

/** One entry stub a vector: afterwards every frame is vector, error code, ip, cs, flags. */
function exceptionStubs(): string {
  return Array.from({ length: EXCEPTIONS }, (_, vector) =>
    `vector_${vector}:${pushesErrorCode(vector) ? '' : '\n  push 0'}\n  push ${vector}\n  jmp exception`).join('\n');
}

/** Gate targets: exceptions, 16 IRQs, the software vector. */
function vectorTable(): string {
  const exceptions = Array.from({ length: EXCEPTIONS }, (_, vector) => `vector_${vector}`);
  const irqs = Array.from({ length: 16 }, (_, irq) => (irq < 8 ? 'irq_master' : 'irq_slave'));
  return [...exceptions, ...irqs, 'software_interrupt'].map((label) => `  dd ${label}`).join('\n');
}

function descriptionTable(): string {
  const names = Array.from({ length: EXCEPTIONS }, (_, vector) => DESCRIPTIONS[vector] ?? 'exception');
  return [
    'descriptions:', ...names.map((_, vector) => `  dd description_${vector}`),
    ...names.map((name, vector) => `description_${vector}: db "${name}", 0`),
  ].join('\n');
}

export const INTERRUPTS_SOURCE = `
${exceptionStubs()}

exception:
  push @ax
  push @cx
  push @dx
  push @bx
  push @bp
  push @si
  push @di
  mov @bp, @sp
  cld
  mov eax, DATA32
  mov ds, eax
  mov es, eax
  or byte [IDT + 13 * @GATE_BYTES + 5], 0x80   ; "fault df" took it away
  call newline
  mov eax, [@bp + 7 * @CELL]
  and eax, 31
  mov esi, [descriptions + @ax*4]
  call print
  mov @si, text_exception
  call print
  mov eax, [@bp + 8 * @CELL]
  call hex8
  call print
  mov @ax, [@bp + 10 * @CELL]
  call hex4
  mov al, 0x3a
  call putc
  mov @ax, [@bp + 9 * @CELL]
  call hex_cell
  call print
  mov @ax, [@bp + 11 * @CELL]
  call hex8
  call print
  mov @ax, cr2
  call hex_cell
  call newline
  lea @di, [@bp + 6 * @CELL]         ; ax, cx, dx, bx, bp, si, di lie downwards
  mov ecx, 7
.register:
  call print
  mov @ax, [@di]
  sub @di, @CELL
  call hex_cell
  loop .register
  call newline
  jmp prompt

irq_slave:
  push @ax
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  pop @ax
  @iret
irq_master:
  push @ax
  mov al, 0x20
  out 0x20, al
  pop @ax
software_interrupt:
spurious:
  @iret

build_idt:
  mov edi, IDT
  mov esi, vectors
  mov ecx, (vectors_end - vectors) / 4
.gate:
  lodsd
  call write_gate
  loop .gate
  mov edi, IDT + ${SPURIOUS_VECTOR} * @GATE_BYTES
  mov eax, spurious
  call write_gate
  lidt [idt_pointer]
  ret

init_interrupts:                     ; PICs at vectors ${IRQ_BASE}.., only COM1 open; local APIC as "virtual wire"
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, ${IRQ_BASE}
  out 0x21, al
  mov al, ${IRQ_BASE + 8}
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, ${0xff & ~(1 << COM1_IRQ)}
  out 0x21, al
  mov al, 0xff
  out 0xa1, al
  mov dx, COM1 + 1                   ; interrupt when a byte has come
  mov al, 1
  out dx, al
  mov eax, 1
  cpuid
  test edx, 1 << 9                   ; APIC
  jz .no_apic
  mov ecx, 0x1b                      ; APIC_BASE
  rdmsr
  test eax, 1 << 11
  jz .no_apic
  and eax, 0xfffff000
  mov [LAPIC_BASE], eax
  mov edi, eax
  mov dword [@di + 0xf0], 0x100 | ${SPURIOUS_VECTOR}
  mov dword [@di + 0x350], 0x700     ; LINT0: the PIC
  mov dword [@di + 0x360], 0x400     ; LINT1: NMI
.no_apic:
  ret

enable_fpu:
  fninit
  ret

align 4, 0
vectors:
${vectorTable()}
vectors_end:
${descriptionTable()}
`;

/** Gates and the table's pointer differ in shape. SDM vol 3A §6.11, Figure 6-2; §6.14.1, Figure 6-8 */
export const GATES_SOURCE = {
  32: `
write_gate:                          ; handler eax at @di; @di ends behind
  mov [@di], ax
  mov word [@di + 2], CODE32
  mov word [@di + 4], 0x8e00
  shr eax, 16
  mov [@di + 6], ax
  add edi, 8
  ret
idt_pointer:
  dw 256 * 8 - 1
  dd IDT
null_idt: dw 0, 0, 0
`,
  64: `
write_gate:
  mov [@di], ax
  mov word [@di + 2], CODE64
  mov word [@di + 4], 0x8e00
  shr eax, 16
  mov [@di + 6], ax
  mov dword [@di + 8], 0
  mov dword [@di + 12], 0
  add edi, 16
  ret
idt_pointer:
  dw 256 * 16 - 1
  dq IDT
null_idt: dw 0, 0, 0, 0, 0
`,
} as const;

export { SOFTWARE_VECTOR };
