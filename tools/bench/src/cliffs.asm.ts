/**
 * A bare-metal kernel that walks off the edges of binary translators: code that is new, code that is much, code in a second mode, control flow
 * that leaves its page, TLB loads. Multiboot 1, 32-bit, ring 0, 4-KiB pages; results on COM1 in the marker protocol of `markers.ts`.
 */

export interface Cliff {
  readonly name: string;
  /** What it does, for reports. */
  readonly title: string;
  /** Instructions it runs, about. */
  readonly instructions: number;
  /** Pages called in turn, which are nothing but the loop of `template`: the number of the first (see `make_pages`), how many, turns of each. */
  readonly loops?: { readonly first: number; readonly pages: number; readonly turns: number };
  /** Assembly that leaves its checksum in ebx; may use every register but esp. */
  readonly code: string;
}

const PAGE = 0x1000;
/** Physical memory map, all identity-mapped. */
export const MAP = {
  LOAD: 0x10_0000, STACK: 0x1f_0000, DIRECTORY: 0x20_0000, TABLES: 0x20_1000, MAPPED: 0x800_0000,
  FRESH64: 0x100_0000, FRESH400: 0x110_0000, HOT: 0x180_0000, LEAVES: 0x300_0000, MODE: 0x310_0000, LOAD_PAGES: 0x400_0000,
} as const;
export const MEMORY_MIB = 128;
/** Of the first page of each range: its constants follow from it. */
const NUMBER = { FRESH64: 1, FRESH400: 1001, HOT: 2001, MODE: 4001 } as const;

const HOT_PAGES = 1400, TLB_PAGES = 12_000;
/** Instructions of one turn of a page's loop (see `template`), and of the 16-bit one. */
const TURN = 8;

/** Calls the function of each page of a range once, with so many turns. */
const callPages = (base: number, first: number, pages: number, turns: number): Pick<Cliff, 'loops' | 'code'> => ({
  loops: { first, pages, turns },
  code: `
    mov esi, ${base}
    mov ebp, ${pages}
    xor ebx, ebx
  .page:
    mov edi, ${turns}
    call esi
    add esi, ${PAGE}
    dec ebp
    jnz .page`,
});

export const CLIFFS: readonly Cliff[] = [
  {
    name: 'alu', title: '40 M instructions of one hot loop (for comparison)', instructions: 40e6,
    ...callPages(MAP.MODE, NUMBER.MODE, 1, 40e6 / TURN),
  },
  { name: 'fresh64', title: '64 fresh code pages, 0.8 M instructions each', instructions: 64 * 0.8e6, ...callPages(MAP.FRESH64, NUMBER.FRESH64, 64, 0.8e6 / TURN) },
  { name: 'fresh400', title: '400 fresh code pages, 0.8 M instructions each', instructions: 400 * 0.8e6, ...callPages(MAP.FRESH400, NUMBER.FRESH400, 400, 0.8e6 / TURN) },
  { name: 'again400', title: 'the same 400 pages again', instructions: 400 * 0.8e6, ...callPages(MAP.FRESH400, NUMBER.FRESH400, 400, 0.8e6 / TURN) },
  ...[1, 2, 3].map((pass): Cliff => ({
    name: `hot1400.${pass}`, title: `1,400 hot pages, 0.2 M instructions each, pass ${pass}`, instructions: HOT_PAGES * 0.2e6, ...callPages(MAP.HOT, NUMBER.HOT, HOT_PAGES, 0.2e6 / TURN),
  })),
  {
    name: 'modekey', title: '80 times 0.5 M instructions in one page, with flat segments and with a data segment of base 16 in turn', instructions: 40e6,
    code: `
    xor ebx, ebx
    mov ebp, 40
  .again:
    mov edi, ${0.5e6 / TURN}
    call ${MAP.MODE}
    mov eax, BASED
    mov ds, eax
    mov edi, ${0.5e6 / TURN}
    call ${MAP.MODE}
    mov eax, DATA
    mov ds, eax
    dec ebp
    jnz .again`,
  },
  {
    name: 'code16', title: '40 M instructions of a loop in a 16-bit code segment that loads and stores in a data segment, both with a base and 64 KiB', instructions: 40e6,
    code: `
    mov eax, DATA16
    mov ds, eax
    mov ecx, ${40e6 / TURN}
    xor ebx, ebx
    xor esi, esi
    jmp CODE16:(.narrow - ${MAP.LOAD})
  bits 16
  .narrow:
    mov ax, [si]
    xor ax, cx
    add bx, ax
    mov [si + 4], bx
    add si, 4
    and si, 0xffc
    dec ecx
    jnz .narrow
    db 0x66, 0xea
    dd .wide
    dw 8
  bits 32
  .wide:
    mov eax, DATA
    mov ds, eax`,
  },
  {
    name: 'call', title: '10 M CALL and RET to another page', instructions: 50e6,
    code: `
    mov ecx, 10000000
    xor ebx, ebx
  .again:
    call ${MAP.LEAVES}
    dec ecx
    jnz .again`,
  },
  {
    name: 'icall', title: '4 M indirect CALLs over 16 pages', instructions: 28e6,
    code: `
    mov ecx, 4000000
    xor ebx, ebx
  .again:
    mov edx, ecx
    and edx, 15
    call [leaf_table + edx*4]
    dec ecx
    jnz .again`,
  },
  {
    name: 'dcall', title: '1.6 M direct CALLs over 16 pages', instructions: 5e6,
    code: `
    mov ecx, 100000
    xor ebx, ebx
  .again:
${Array.from({ length: 16 }, (_, i) => `    call ${MAP.LEAVES + i * PAGE}`).join('\n')}
    dec ecx
    jnz .again`,
  },
  {
    name: 'tlb', title: `one word in each of 12,000 pages, 100 times`, instructions: TLB_PAGES * 100 * 4,
    code: `
    xor ebx, ebx
    mov ebp, 100
  .pass:
    mov esi, ${MAP.LOAD_PAGES}
    mov ecx, ${TLB_PAGES}
  .page:
    add ebx, [esi]
    add esi, ${PAGE + 4}
    dec ecx
    jnz .page
    dec ebp
    jnz .pass`,
  },
  {
    name: 'cr3', title: '20 k times CR3 reload and 64 page touches', instructions: 20e3 * 64 * 4,
    code: `
    xor ebx, ebx
    mov ebp, 20000
  .again:
    mov eax, cr3
    mov cr3, eax
    mov esi, ${MAP.LOAD_PAGES}
    mov ecx, 64
  .page:
    add ebx, [esi]
    add esi, ${PAGE}
    dec ecx
    jnz .page
    dec ebp
    jnz .again`,
  },
];

/** One page's function: edi turns, ebx accumulates. The two constants differ from page to page. */
const template = `
template:
    mov ecx, edi
    mov eax, 0x11111111
  .turn:
    add eax, ecx
    rol eax, 5
    xor eax, 0x22222222
    lea edx, [eax + ecx*2]
    sub eax, edx
    add ebx, eax
    dec ecx
    jnz .turn
    ret
template_end:`;

/** Bytes from a template's start to its two constants. */
const SEED = 3, MASK = 13;

const makePages = (base: number, pages: number, seed: number): string => `
    mov ebp, ${base}
    mov edx, ${seed}
    mov ebx, ${pages}
    call make_pages`;

export function cliffsSource(cliffs: readonly Cliff[] = CLIFFS): string {
  return `
bits 32
org ${MAP.LOAD}
DATA equ 16
BASED equ 24
CODE16 equ 32
DATA16 equ 40
header:
    dd 0x1badb002, 0x10000, ${-(0x1bad_b002 + 0x1_0000) >>> 0}
    dd header, header, image_end, image_end, start
start:
    cli
    cld
    mov esp, ${MAP.STACK}
    lgdt [gdt_pointer]
    jmp 8:flat
flat:
    mov eax, DATA
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    call paging_on
    call serial_on
${makePages(MAP.FRESH64, 64, NUMBER.FRESH64)}
${makePages(MAP.FRESH400, 400, NUMBER.FRESH400)}
${makePages(MAP.HOT, HOT_PAGES, NUMBER.HOT)}
${makePages(MAP.MODE, 1, NUMBER.MODE)}
    call make_leaves
    call make_data
    mov esi, text_init
    call print
${cliffs.map(({ name }, i) => `
    mov esi, text_${i}
    call print
    mov esi, text_start
    call print
    call cliff_${i}
    mov edi, ebx
    mov esi, text_${i}
    call print
    mov esi, text_end
    call print
    call print_hex              ; ${name}`).join('\n')}
    mov esi, text_done
    call print
    mov dx, 0xf4
    xor eax, eax
    out dx, eax
  .stop:
    hlt
    jmp .stop

paging_on:
    mov edi, ${MAP.TABLES}
    mov eax, 3
    mov ecx, ${MAP.MAPPED / PAGE}
  .entry:
    stosd
    add eax, ${PAGE}
    dec ecx
    jnz .entry
    mov edi, ${MAP.DIRECTORY}
    mov eax, ${MAP.TABLES | 3}
    mov ecx, ${MAP.MAPPED / PAGE / 1024}
  .table:
    stosd
    add eax, ${PAGE}
    dec ecx
    jnz .table
    mov eax, ${MAP.DIRECTORY}
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    ret

serial_on:
    mov dx, 0x3fb
    mov al, 0x80
    out dx, al
    mov dx, 0x3f8
    mov al, 1
    out dx, al
    inc edx
    xor eax, eax
    out dx, al
    mov dx, 0x3fb
    mov al, 3
    out dx, al
    dec edx
    mov al, 0
    out dx, al
    ret

; ebx pages of code at ebp, seeds from edx on
make_pages:
  .page:
    mov esi, template
    mov edi, ebp
    mov ecx, template_end - template
    rep movsb
    mov eax, edx
    imul eax, eax, 0x9e3779b1
    mov [ebp + ${SEED}], eax
    imul eax, eax, 0x85ebca77
    mov [ebp + ${MASK}], eax
    inc edx
    add ebp, ${PAGE}
    dec ebx
    jnz .page
    ret

; 16 pages with: add ebx, ecx; ret
make_leaves:
    mov edi, ${MAP.LEAVES}
    mov ecx, 16
  .leaf:
    mov dword [edi], 0x00c3cb01
    add edi, ${PAGE}
    dec ecx
    jnz .leaf
    ret

make_data:
    mov edi, ${MAP.LOAD_PAGES}
    mov ecx, ${TLB_PAGES + 12}
    mov eax, 1
  .page:
    mov [edi], eax
    imul eax, eax, 1664525
    add eax, 1013904223
    add edi, ${PAGE + 4}
    dec ecx
    jnz .page
    ret

; text at esi, ended by 0; waits until the line is idle
print:
    lodsb
    test al, al
    jz .drain
    call put
    jmp print
  .drain:
    mov dx, 0x3fd
    in al, dx
    test al, 0x40
    jz .drain
    ret
put:
    mov ah, al
    mov dx, 0x3fd
  .wait:
    in al, dx
    test al, 0x20
    jz .wait
    mov al, ah
    mov dx, 0x3f8
    out dx, al
    ret
; edi as eight digits, and the line's end
print_hex:
    mov ecx, 8
  .digit:
    rol edi, 4
    mov eax, edi
    and eax, 15
    mov al, [eax + digits]
    call put
    dec ecx
    jnz .digit
    mov esi, text_line
    jmp print

${cliffs.map(({ code }, i) => `align 16\ncliff_${i}:${code}\n    ret`).join('\n')}
${template}

align 8
gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00c793000010ffff, 0x00009b100000ffff, 0x070093000000ffff
gdt_pointer: dw 47
    dd gdt
leaf_table: dd ${Array.from({ length: 16 }, (_, i) => MAP.LEAVES + i * PAGE).join(', ')}
digits: db "0123456789abcdef"
${cliffs.map(({ name }, i) => `text_${i}: db "@@ ${name}", 0`).join('\n')}
text_init: db "@@ INIT i386", 13, 10, 0
text_start: db " start", 13, 10, 0
text_end: db " end ", 0
text_line: db 13, 10, 0
text_done: db "@@ DONE", 13, 10, 0
align 16
image_end:
`;
}
