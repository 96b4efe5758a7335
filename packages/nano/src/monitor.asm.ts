/**
 * The monitor: report, command line, exceptions. One source for both widths: `@ax` is eax or rax, `@iret` the width's return, `@CELL` a stack
 * cell's bytes. Only the eight old registers are used; pointers in memory are 32-bit (nano lives below 2 MiB).
 */
export const MONITOR_SOURCE = `
entry:
  mov @sp, STACK_TOP
  mov @si, text_arrived
  call print
  call enable_fpu
  call build_idt
  call init_interrupts
  call find_acpi
  call find_run
  call cmd_info

prompt:
  mov @sp, STACK_TOP
  mov @si, text_prompt
  call print
  call next_line
  mov @si, LINE
  call execute
  jmp prompt

; ---- console --------------------------------------------------------------------------------------
putc:                                ; al; keeps all registers
  push @ax
  push @dx
  inc dword [COLUMN]
  cmp al, 10
  jne .one
  mov dword [COLUMN], 0
  mov al, 13
  call .raw
  mov al, 10
.one:
  call .raw
  pop @dx
  pop @ax
  ret
.raw:
  push @ax
  mov dx, COM1 + 5
.wait:
  in al, dx
  test al, 0x20
  jz .wait
  pop @ax
  mov dx, COM1
  out dx, al
  ret

print:                               ; text at @si, ended by 0; @si ends behind it
  push @ax
.next:
  lodsb
  test al, al
  jz .done
  call putc
  jmp .next
.done:
  pop @ax
  ret

newline:
  push @ax
  mov al, 10
  call putc
  pop @ax
  ret

space:
  push @ax
  mov al, 0x20
  call putc
  pop @ax
  ret

print_hex:                           ; ecx low digits of @ax
  push @ax
  push @bx
  push @cx
  push @dx
  mov @bx, @ax
  mov edx, ecx
.digit:
  dec edx
  lea ecx, [@dx*4]
  mov @ax, @bx
  shr @ax, cl
  and al, 15
  add al, 0x30
  cmp al, 0x39
  jbe .out
  add al, 39
.out:
  call putc
  test edx, edx
  jnz .digit
  pop @dx
  pop @cx
  pop @bx
  pop @ax
  ret

hex2:
  push @cx
  mov ecx, 2
  jmp hex_tail
hex4:
  push @cx
  mov ecx, 4
  jmp hex_tail
hex8:
  push @cx
  mov ecx, 8
hex_tail:
  call print_hex
  pop @cx
  ret
hex_cell:                            ; all of @ax
  push @cx
  mov ecx, @CELL * 2
  jmp hex_tail

print_decimal:                       ; eax
  push @ax
  push @bx
  push @cx
  push @dx
  mov ebx, 10
  xor ecx, ecx
.divide:
  xor edx, edx
  div ebx
  push @dx
  inc ecx
  test eax, eax
  jnz .divide
.digit:
  pop @ax
  add al, 0x30
  call putc
  loop .digit
  pop @dx
  pop @cx
  pop @bx
  pop @ax
  ret

getc:                                ; al; sleeps until COM1 has a byte
  push @dx
.again:
  cli
  mov dx, COM1 + 5
  in al, dx
  test al, 1
  jnz .have
  sti
  hlt
  jmp .again
.have:
  mov dx, COM1
  in al, dx
  pop @dx
  ret

next_line:                           ; from run= on the kernel's command line, else from COM1
  mov esi, [RUN_POINTER]
  test esi, esi
  jz read_line
  mov edi, LINE
  mov ecx, LINE_MAX
.copy:
  lodsb
  test al, al
  jz .last
  cmp al, 0x3b                       ; ;
  je .end
  call putc
  stosb
  loop .copy
.last:
  xor esi, esi
.end:
  mov byte [@di], 0
  mov [RUN_POINTER], esi
  call newline
  ret

read_line:
  mov edi, LINE
.next:
  call getc
  cmp al, 13
  je .enter
  cmp al, 10
  je .enter
  cmp al, 8
  je .rubout
  cmp al, 127
  je .rubout
  cmp al, 21                         ; Ctrl-U
  je .kill
  cmp al, 3                          ; Ctrl-C
  je .cancel
  cmp al, 27
  je .escape
  cmp al, 0x20
  jb .next
  cmp edi, LINE + LINE_MAX
  jae .next
  stosb
  call putc
  jmp .next
.rubout:
  call erase
  jmp .next
.kill:
  cmp edi, LINE
  je .next
  call erase
  jmp .kill
.cancel:
  mov @si, text_cancel
  call print
  mov edi, LINE
  mov byte [@di], 0
  ret
.escape:                             ; ESC [ A: the last line again; other sequences are swallowed
  call getc
  cmp al, 0x5b
  jne .next
  call getc
  cmp al, 0x41
  jne .next
.wipe:
  cmp edi, LINE
  je .recall
  call erase
  jmp .wipe
.recall:
  mov esi, LAST_LINE
.copy:
  lodsb
  test al, al
  jz .next
  stosb
  call putc
  jmp .copy
.enter:
  mov byte [@di], 0
  call newline
  cmp edi, LINE
  je .empty
  mov esi, LINE
  mov edi, LAST_LINE
  mov ecx, LINE_MAX + 1
  rep movsb
.empty:
  ret

erase:                               ; one character before @di, if any
  cmp edi, LINE
  je .none
  dec edi
  push @si
  mov @si, text_rubout
  call print
  pop @si
.none:
  ret

; ---- commands -------------------------------------------------------------------------------------
skip_spaces:
  cmp byte [@si], 0x20
  jne .done
  inc esi
  jmp skip_spaces
.done:
  ret

execute:                             ; line at @si
  call skip_spaces
  cmp byte [@si], 0
  je .done
  mov edi, commands
.candidate:
  cmp dword [@di], 0
  je .unknown
  call match_word
  jc .found
  jmp .candidate
.found:
  call skip_spaces
  jmp @ax
.unknown:
  push @si
  mov @si, text_unknown
  call print
  pop @si
  call print
  mov @si, text_try_help
  call print
.done:
  ret

match_word:                          ; entry at @di (handler, name, 0), word at @si. CF: match, eax handler, @si behind; @di: next entry
  push @si
  mov eax, [@di]
  add edi, 4
.compare:
  mov cl, [@di]
  inc edi
  test cl, cl
  jz .name_ended
  cmp cl, [@si]
  jne .skip
  inc esi
  jmp .compare
.name_ended:
  cmp byte [@si], 0x20
  ja .differs
  pop @cx
  stc
  ret
.skip:
  mov cl, [@di]
  inc edi
  test cl, cl
  jnz .skip
.differs:
  pop @si
  clc
  ret

parse_hex:                           ; number at @si. CF: there is one, in @ax; @si behind it and spaces
  push @cx
  push @dx
  xor eax, eax
  xor edx, edx                       ; digits seen
  cmp word [@si], 0x7830             ; 0x
  jne .digit
  add esi, 2
.digit:
  movzx ecx, byte [@si]
  sub ecx, 0x30
  cmp ecx, 10
  jb .take
  or ecx, 0x20
  sub ecx, 0x31
  cmp ecx, 6
  jae .end
  add ecx, 10
.take:
  shl @ax, 4
  or @ax, @cx
  inc edx
  inc esi
  jmp .digit
.end:
  call skip_spaces
  cmp edx, 1
  cmc                                ; CF when edx >= 1
  pop @dx
  pop @cx
  ret

cmd_help:
  mov @si, text_help
  jmp print

cmd_info:
  call report_cpu
  call report_memory
  call report_pci
  call report_acpi
  call report_lapic
  jmp report_timers

cmd_cpuid:
  call parse_hex
  jnc .all
  mov ebx, eax
  call parse_hex
  jc .subleaf
  xor eax, eax
.subleaf:
  mov ecx, eax
  mov eax, ebx
  jmp print_leaf
.all:
  xor eax, eax
.basic:
  xor ecx, ecx
  call print_leaf
  inc eax
  cmp eax, [MAX_LEAF]
  jbe .basic
  mov eax, 0x80000000
.extended:
  cmp eax, [MAX_EXTENDED_LEAF]
  ja .done
  xor ecx, ecx
  call print_leaf
  inc eax
  jmp .extended
.done:
  ret

print_leaf:                          ; leaf eax, subleaf ecx; keeps eax
  push @ax
  call hex8
  call space
  push @ax
  mov eax, ecx
  call hex2
  pop @ax
  cpuid
  push @dx
  push @cx
  push @bx
  push @ax
  mov @si, text_registers
  mov ecx, 4
.register:
  call print
  pop @ax
  call hex8
  loop .register
  call newline
  pop @ax
  ret

cmd_mem:
  call parse_hex
  jc .address
  mov @si, text_mem_usage
  jmp print
.address:
  mov @bx, @ax
  call parse_hex
  jc .length
  mov eax, 0x80
.length:
  cmp @ax, 0x1000
  jbe .fits
  mov eax, 0x1000
.fits:
  mov edx, eax
  mov @si, @bx
.line:
  test edx, edx
  jle .done
  mov @ax, @si
  call hex_cell
  mov ecx, 16
  cmp edx, ecx
  jae .full
  mov ecx, edx
.full:
  push @cx
  push @si
.byte:
  call space
  mov al, [@si]
  inc @si
  call hex2
  loop .byte
  pop @si
  pop @cx
  call space
  call space
.character:
  mov al, [@si]
  inc @si
  cmp al, 0x20
  jb .dot
  cmp al, 0x7e
  jbe .show
.dot:
  mov al, 0x2e
.show:
  call putc
  loop .character
  call newline
  sub edx, 16
  jmp .line
.done:
  ret

cmd_fault:
  mov edi, fault_table
.candidate:
  cmp dword [@di], 0
  je .usage
  call match_word
  jnc .candidate
  jmp @ax
.usage:
  mov @si, text_fault_usage
  jmp print

fault_de:
  xor edx, edx
  mov eax, 1
  xor ecx, ecx
  div ecx
fault_ud:
  ud2
fault_gp:
  mov eax, 0xfff8                    ; beyond the GDT
  mov ds, eax
fault_pf:
  mov esi, UNMAPPED
  mov al, [@si]
fault_df:                            ; a fault while #GP is delivered: both contributory
  and byte [IDT + 13 * @GATE_BYTES + 5], 0x7f
  jmp fault_gp
fault_triple:
  lidt [null_idt]
  ud2

cmd_reboot:
  cli
  mov al, 0xfe
  out 0x64, al
  mov ecx, 100000
.wait:
  in al, 0x80
  loop .wait
  mov dx, 0xcf9
  mov al, 6
  out dx, al
  mov ecx, 100000
.wait_more:
  in al, 0x80
  loop .wait_more
  jmp fault_triple

cmd_off:
  mov edx, [PM1A_CONTROL]
  test edx, edx
  jz .cannot
  mov eax, [S5_TYPE]
  shl eax, 10
  or eax, 1 << 13                    ; SLP_EN
  out dx, ax
  mov ecx, 100000
.wait:
  in al, 0x80
  loop .wait
.cannot:
  mov @si, text_cannot_power_off
  jmp print

find_run:                            ; "run=a;b" on the kernel's command line: commands to run first
  mov ebx, [MULTIBOOT_INFO]
  test dword [@bx], 4
  jz .none
  mov esi, [@bx + 16]
.search:
  cmp byte [@si], 0
  je .none
  cmp dword [@si], 0x3d6e7572        ; run=
  je .found
  inc esi
  jmp .search
.found:
  add esi, 4
  mov [RUN_POINTER], esi
.none:
  ret
`;
