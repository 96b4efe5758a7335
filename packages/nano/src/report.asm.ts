/** What nano prints about the machine. Shared by both widths, as the monitor. */
export const REPORT_SOURCE = `
report_cpu:
  mov @si, text_cpu
  call print
  xor eax, eax
  cpuid
  mov [TEXT_BUFFER], ebx
  mov [TEXT_BUFFER + 4], edx
  mov [TEXT_BUFFER + 8], ecx
  mov byte [TEXT_BUFFER + 12], 0
  mov @si, TEXT_BUFFER
  call print
  call space
  cmp dword [MAX_EXTENDED_LEAF], 0x80000004
  jb .no_brand
  mov edi, TEXT_BUFFER
  mov esi, 0x80000002
.brand:
  mov eax, esi
  cpuid
  mov [@di], eax
  mov [@di + 4], ebx
  mov [@di + 8], ecx
  mov [@di + 12], edx
  add edi, 16
  inc esi
  cmp esi, 0x80000005
  jb .brand
  mov byte [@di], 0
  mov @si, TEXT_BUFFER
  call skip_spaces
  call print
.no_brand:
  mov eax, 1
  cpuid
  mov [FEATURE_0], edx
  mov [FEATURE_1], ecx
  mov ebx, eax
  mov @si, text_family
  call print
  shr eax, 8
  and eax, 15
  mov ecx, eax                       ; family
  cmp eax, 15
  jne .family
  mov edx, ebx
  shr edx, 20
  and edx, 0xff
  add eax, edx
.family:
  call print_decimal
  call print
  mov eax, ebx
  shr eax, 4
  and eax, 15
  cmp ecx, 6
  je .extended_model
  cmp ecx, 15
  jne .model
.extended_model:
  mov edx, ebx
  shr edx, 12
  and edx, 0xf0
  or eax, edx
.model:
  call print_decimal
  call print
  mov eax, ebx
  and eax, 15
  call print_decimal
  call newline

  xor eax, eax
  mov [FEATURE_2], eax
  mov [FEATURE_3], eax
  mov [FEATURE_4], eax
  mov [FEATURE_5], eax
  cmp dword [MAX_LEAF], 7
  jb .no_leaf7
  mov eax, 7
  xor ecx, ecx
  cpuid
  mov [FEATURE_2], ebx
  mov [FEATURE_3], ecx
.no_leaf7:
  cmp dword [MAX_EXTENDED_LEAF], 0x80000001
  jb .no_extended
  mov eax, 0x80000001
  cpuid
  mov [FEATURE_4], edx
  mov [FEATURE_5], ecx
.no_extended:
  mov @si, text_features
  call print
  mov @si, feature_table
.feature:
  lodsb
  cmp al, 0xff
  je .done
  movzx edx, al
  lodsb
  movzx ecx, al
  bt dword [FEATURE_0 + @dx*8], ecx
  jnc .skip
  cmp dword [COLUMN], 72
  jb .fits
  push @si
  mov @si, text_indent
  call print
  pop @si
.fits:
  call print
  call space
  jmp .feature
.skip:
  lodsb
  test al, al
  jnz .skip
  jmp .feature
.done:
  jmp newline

report_memory:                       ; multiboot's memory map
  mov ebx, [MULTIBOOT_INFO]
  test dword [@bx], 1 << 6
  jz .none
  mov edi, [@bx + 48]
  mov edx, [@bx + 44]
  add edx, edi
  mov @si, text_memory
.range:
  cmp edi, edx
  jae .done
  call print
  push @dx
  mov eax, [@di + 8]
  call hex8
  mov eax, [@di + 4]
  call hex8
  mov al, 0x2d
  call putc
  mov eax, [@di + 4]                 ; base + length - 1
  mov ecx, [@di + 8]
  add eax, [@di + 12]
  adc ecx, [@di + 16]
  sub eax, 1
  sbb ecx, 0
  xchg eax, ecx
  call hex8
  mov eax, ecx
  call hex8
  call space
  mov eax, [@di + 20]
  cmp eax, 5
  jb .known
  xor eax, eax
.known:
  mov esi, [memory_types + @ax*4]
  call print
  call newline
  pop @dx
  add edi, [@di]
  add edi, 4
  mov @si, text_indent_only
  jmp .range
.none:
  mov @si, text_no_map
  jmp print
.done:
  ret

pci_read:                            ; configuration address in ebx, register in cl; answers eax
  push @dx
  mov eax, ebx
  mov al, cl
  mov dx, 0xcf8
  out dx, eax
  mov dx, 0xcfc
  in eax, dx
  pop @dx
  ret

report_pci:                          ; bus 0, configuration mechanism 1
  mov @si, text_pci
  mov ebx, 0x80000000
.function:
  xor ecx, ecx
  call pci_read
  cmp ax, 0xffff
  je .absent
  mov edi, eax
  call print
  mov eax, ebx                       ; 00:dd.f
  shr eax, 11
  and eax, 31
  call hex2
  mov al, 0x2e
  call putc
  mov eax, ebx
  shr eax, 8
  and eax, 7
  push @cx
  mov ecx, 1
  call print_hex
  pop @cx
  call space
  mov eax, edi
  call hex4
  mov al, 0x3a
  call putc
  mov eax, edi
  shr eax, 16
  call hex4
  push @si
  mov @si, text_class
  call print
  mov cl, 8
  call pci_read
  shr eax, 16
  call hex4
  call newline
  pop @si
  mov @si, text_pci_more
  test ebx, 0x700
  jnz .next_function
  mov cl, 12
  call pci_read
  test eax, 1 << 23                  ; several functions
  jz .next_device
.next_function:
  add ebx, 0x100
  jmp .more
.absent:
  test ebx, 0x700
  jnz .next_function
.next_device:
  and ebx, 0xfffff8ff
  add ebx, 0x800
.more:
  cmp ebx, 0x80010000
  jb .function
  ret

find_acpi:                           ; RSDP by scan, then PM1a_CNT, PM timer and the sleep type of \\_S5
  mov edi, 0xe0000
.scan:
  cmp dword [@di], 0x20445352        ; "RSD "
  jne .next
  cmp dword [@di + 4], 0x20525450    ; "PTR "
  je .found
.next:
  add edi, 16
  cmp edi, 0x100000
  jb .scan
  ret
.found:
  mov [RSDP], edi
  mov esi, [@di + 16]                ; RSDT
  mov ecx, [@si + 4]
  sub ecx, 36
  shr ecx, 2
.table:
  test ecx, ecx
  jz .none
  mov edi, [@si + 36]
  add esi, 4
  dec ecx
  cmp dword [@di], 0x50434146        ; FACP
  jne .table
  mov eax, [@di + 64]
  mov [PM1A_CONTROL], eax
  mov eax, [@di + 76]
  mov [PM_TIMER], eax
  mov esi, [@di + 40]                ; DSDT
  mov ecx, [@si + 4]
  sub ecx, 40
.search:
  test ecx, ecx
  jle .none
  inc esi
  dec ecx
  cmp dword [@si + 35], 0x5f35535f   ; "_S5_"
  jne .search
  lea esi, [@si + 39]
  cmp byte [@si], 0x12               ; Package
  jne .search
  movzx eax, byte [@si + 1]          ; its length takes 1 to 4 bytes
  shr eax, 6
  lea esi, [@si + @ax + 3]
  lodsb
  cmp al, 0x0a                       ; byte constant; else Zero or One
  jne .constant
  lodsb
.constant:
  movzx eax, al
  mov [S5_TYPE], eax
.none:
  ret

report_acpi:
  cmp dword [RSDP], 0
  je .none
  mov @si, text_acpi
  call print
  mov eax, [RSDP]
  call hex8
  call print
  mov eax, [PM1A_CONTROL]
  call hex4
  call print
  mov eax, [PM_TIMER]
  call hex4
  call print
  mov eax, [S5_TYPE]
  call print_decimal
  jmp newline
.none:
  ret

report_lapic:
  cmp dword [LAPIC_BASE], 0
  je .none
  mov edi, [LAPIC_BASE]
  mov @si, text_lapic
  call print
  mov eax, edi
  call hex8
  call print
  mov eax, [@di + 0x20]
  shr eax, 24
  call print_decimal
  call print
  mov eax, [@di + 0x30]
  call hex8
  jmp newline
.none:
  ret

PIT_COUNT equ 11932                  ; 10 ms at 1193182 Hz

report_timers:                       ; what passes on the others while the PIT counts 10 ms
  in al, 0x61
  and al, 0xfd
  or al, 1                           ; gate 2 open, speaker off
  out 0x61, al
  mov al, 0xb0                       ; channel 2, both bytes, mode 0
  out 0x43, al
  mov al, PIT_COUNT & 0xff
  out 0x42, al
  mov edi, [LAPIC_BASE]
  test edi, edi
  jz .no_apic
  mov dword [@di + 0x3e0], 11        ; divide by 1
  mov dword [@di + 0x320], 0x100ff   ; masked, one shot
  mov dword [@di + 0x380], 0xffffffff
.no_apic:
  xor ebx, ebx
  mov edx, [PM_TIMER]
  test edx, edx
  jz .no_pm
  in eax, dx
  mov ebx, eax
.no_pm:
  mov al, PIT_COUNT >> 8
  out 0x42, al                       ; now it counts
  call read_tsc
  mov [TSC_START], eax
  mov ecx, 50000000
.wait:
  in al, 0x61
  test al, 0x20
  jnz .over
  loop .wait
  mov @si, text_no_pit
  jmp print
.over:
  call read_tsc
  sub eax, [TSC_START]
  mov ecx, eax
  mov @si, text_timers
  call print
  mov eax, ecx
  call print_rate
  mov edx, [PM_TIMER]
  test edx, edx
  jz .skip_pm
  call print
  in eax, dx
  sub eax, ebx
  and eax, 0xffffff                  ; it has 24 bits at least
  call print_rate
.skip_pm:
  test edi, edi
  jz .skip_apic
  mov @si, text_apic_rate
  call print
  mov eax, [@di + 0x380]
  sub eax, [@di + 0x390]
  call print_rate
  mov dword [@di + 0x380], 0
.skip_apic:
  jmp newline

print_rate:                          ; eax events in 10 ms, as kHz
  push @dx
  push @cx
  mov ecx, 10
  xor edx, edx
  div ecx
  call print_decimal
  pop @cx
  pop @dx
  ret

read_tsc:                            ; eax; 0 without one
  push @dx
  xor eax, eax
  test dword [FEATURE_0], 1 << 4
  jz .none
  rdtsc
.none:
  pop @dx
  ret
`;
