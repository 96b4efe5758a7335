/**
 * Multiboot entry and the walk: protected → real → protected with paging → long mode, each step said on COM1.
 * Multiboot Specification 0.6.96; SDM vol 3A §9.8.5 (to IA-32e mode), §9.9 (mode switching)
 */
export const BOOT_SOURCE = `
MULTIBOOT_FLAGS equ 0x10003          ; page-aligned modules, memory map, addresses below
bits 32
header:
  dd 0x1badb002, MULTIBOOT_FLAGS, -(0x1badb002 + MULTIBOOT_FLAGS)
  dd header, BOOT, LOAD_END, BSS_END, start

start:
  cli
  cld
  mov esp, STACK_TOP
  mov [MULTIBOOT_INFO], ebx
  lgdt [gdt_pointer]
  jmp CODE32:flat
flat:
  call load_flat_segments
  call serial_init
  mov esi, text_start
  call print32
  mov esi, real_stub
  mov edi, REAL_STUB
  mov ecx, real_stub_end - real_stub
  rep movsb
  jmp CODE16:REAL_STUB

load_flat_segments:
  mov eax, DATA32
  mov ds, eax
  mov es, eax
  mov fs, eax
  mov gs, eax
  mov ss, eax
  ret

serial_init:                         ; 115200 baud, 8N1, FIFOs on
  mov dx, COM1 + 1
  xor eax, eax
  out dx, al
  mov dx, COM1 + 3
  mov al, 0x80
  out dx, al
  mov dx, COM1
  mov al, 1
  out dx, al
  inc edx
  xor al, al
  out dx, al
  mov dx, COM1 + 3
  mov al, 3
  out dx, al
  dec edx
  mov al, 0x07
  out dx, al
  mov dx, COM1 + 4
  mov al, 0x0b                       ; DTR, RTS, OUT2: interrupts pass
  out dx, al
  ret

print32:                             ; text at esi, ended by 0
  lodsb
  test al, al
  jz .done
  mov ah, al
  mov dx, COM1 + 5
.wait:
  in al, dx
  test al, 0x20
  jz .wait
  mov al, ah
  mov dx, COM1
  out dx, al
  jmp print32
.done:
  ret

; ---- real mode: a copy of this runs at REAL_STUB ------------------------------------------------
bits 16
real_stub:
  mov ax, DATA16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:in_real - real_stub + REAL_STUB
in_real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov sp, 0x7c00
  mov si, text_real - real_stub + REAL_STUB
  call print16
  smsw ax
  call hex16
  mov si, text_a20 - real_stub + REAL_STUB
  call print16
  call check_a20
  call print16
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword CODE32:back

check_a20:                           ; does FFFF:0510 alias 0000:0500? answers si
  mov ax, 0xffff
  mov es, ax
  mov si, text_a20_on - real_stub + REAL_STUB
  mov bl, [es:0x510]                 ; part of nano, if A20 is open: put it back
  mov byte [0x500], 0x55
  mov byte [es:0x510], 0xaa
  cmp byte [0x500], 0x55
  mov [es:0x510], bl
  je .open
  mov si, text_a20_off - real_stub + REAL_STUB
.open:
  ret

print16:
  lodsb
  test al, al
  jz .done
  call putc16
  jmp print16
.done:
  ret

putc16:
  mov ah, al
  mov dx, COM1 + 5
.wait:
  in al, dx
  test al, 0x20
  jz .wait
  mov al, ah
  mov dx, COM1
  out dx, al
  ret

hex16:                               ; ax
  mov cx, 4
  mov bx, ax
.digit:
  rol bx, 4
  mov al, bl
  and al, 15
  add al, 0x30
  cmp al, 0x39
  jbe .decimal
  add al, 39
.decimal:
  call putc16
  loop .digit
  ret

text_real: db "real mode        16-bit, segments of 64 KiB, msw ", 0
text_a20: db ", A20 ", 0
text_a20_on: db \`open\\r\\n\`, 0
text_a20_off: db \`closed\\r\\n\`, 0
real_stub_end:

; ---- protected mode again -----------------------------------------------------------------------
bits 32
back:
  mov eax, DATA32
  mov ss, eax                        ; before the first push: the real-mode stack was 16 bits wide
  mov esp, STACK_TOP
  call load_flat_segments
  mov esi, text_protected
  call print32
  xor eax, eax
  cpuid
  mov [MAX_LEAF], eax
  mov eax, 0x80000000
  cpuid
  mov [MAX_EXTENDED_LEAF], eax
  mov eax, 1
  cpuid
  test edx, 1 << 3                   ; PSE
  jz no_paging
  test edx, 1 << 25                  ; SSE: let its instructions run
  jz .no_sse
  mov eax, cr4
  or eax, 3 << 9
  mov cr4, eax
.no_sse:
  mov edi, PAGE_DIRECTORY32          ; 1024 pages of 4 MiB, one to one
  mov eax, 0x83
  mov ecx, 1024
.entry:
  stosd
  add eax, 0x400000
  loop .entry
  mov dword [PAGE_DIRECTORY32 + (UNMAPPED >> 22) * 4], 0
  mov eax, cr4
  or eax, 1 << 4
  mov cr4, eax
  mov eax, PAGE_DIRECTORY32
  mov cr3, eax
  mov eax, cr0
  and eax, 0x9ffffff3                ; caches on, x87 present
  or eax, 0x80010022                 ; paging, write protection, native x87 errors
  mov cr0, eax
  jmp .paged
.paged:
  mov esi, text_paging
  call print32
  cmp dword [MAX_EXTENDED_LEAF], 0x80000001
  jb no_long_mode
  mov eax, 0x80000001
  cpuid
  test edx, 1 << 29                  ; LM
  jz no_long_mode

  mov eax, cr0                       ; paging must be off while the format changes
  and eax, 0x7fffffff
  mov cr0, eax
  mov dword [PML4], PDPT + 3
  mov edi, PDPT
  mov eax, PAGE_DIRECTORIES64 + 3
  mov ecx, 4
.table:
  mov [edi], eax
  add edi, 8
  add eax, 0x1000
  loop .table
  mov edi, PAGE_DIRECTORIES64        ; 2048 pages of 2 MiB, one to one
  mov eax, 0x83
  mov ecx, 2048
.large:
  mov [edi], eax
  add edi, 8
  add eax, 0x200000
  loop .large
  mov dword [PAGE_DIRECTORIES64 + (UNMAPPED >> 21) * 8], 0
  mov eax, cr4
  or eax, 1 << 5                     ; PAE
  mov cr4, eax
  mov eax, PML4
  mov cr3, eax
  mov ecx, 0xc0000080                ; EFER
  rdmsr
  or eax, 1 << 8                     ; LME
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp CODE64:MONITOR64

no_long_mode:
  mov esi, text_no_long_mode
  call print32
  jmp MONITOR32
no_paging:
  mov esi, text_no_paging
  call print32
  jmp MONITOR32

align 8, 0
gdt:
  dq 0
  dq 0x00cf9a000000ffff              ; 08 code, 32-bit
  dq 0x00cf92000000ffff              ; 10 data
  dq 0x00009a000000ffff              ; 18 code, 16-bit
  dq 0x000092000000ffff              ; 20 data, 16-bit
  dq 0x00af9a000000ffff              ; 28 code, 64-bit
gdt_end:
gdt_pointer:
  dw gdt_end - gdt - 1
  dd gdt

text_start: db \`\\r\\nnano\\r\\nprotected mode   32-bit, flat, started by the loader\\r\\n\`, 0
text_protected: db \`protected mode   32-bit, flat, back from real mode\\r\\n\`, 0
text_paging: db \`paging           32-bit format, 4 GiB one to one in 4-MiB pages\\r\\n\`, 0
text_no_paging: db \`paging           not tried: no 4-MiB pages\\r\\n\`, 0
text_no_long_mode: db \`long mode        this CPU has none\\r\\n\`, 0
`;
