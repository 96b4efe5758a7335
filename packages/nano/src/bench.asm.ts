/** Small loops with a fixed amount of work and a checksum that is the same on every correct processor, 32 or 64 bits wide. */
import { SOFTWARE_VECTOR } from './interrupts.asm.ts';

interface Workload {
  readonly name: string;
  /** What is counted. */
  readonly unit: string;
  readonly count: number;
  /** Runs with the count in ecx; answers the checksum in eax. May use every register. */
  readonly code: string;
}

const WORKLOADS: readonly Workload[] = [
  { name: 'alu', unit: 'xorshift steps', count: 2_000_000, code: `
  mov eax, 0x9e3779b9
.loop:
  mov edx, eax
  shl edx, 13
  xor eax, edx
  mov edx, eax
  shr edx, 17
  xor eax, edx
  mov edx, eax
  shl edx, 5
  xor eax, edx
  dec ecx
  jnz .loop
  ret` },
  { name: 'branch', unit: 'Collatz starts', count: 10_000, code: `
  xor ebx, ebx
.start:
  mov eax, ecx
.step:
  cmp eax, 1
  jbe .end
  inc ebx
  shr eax, 1
  jnc .step
  lea eax, [@ax + @ax*2 + 2]
  jmp .step
.end:
  dec ecx
  jnz .start
  mov eax, ebx
  ret` },
  { name: 'call', unit: 'levels of fib', count: 24, code: `
.fib:
  cmp ecx, 2
  jae .recurse
  mov eax, ecx
  ret
.recurse:
  push @cx
  dec ecx
  call .fib
  pop @cx
  push @ax
  sub ecx, 2
  call .fib
  pop @dx
  add eax, edx
  ret` },
  { name: 'muldiv', unit: 'mul and div', count: 300_000, code: `
  mov eax, 1
  mov ebx, 1000003
.loop:
  mov edx, 0x5851f42d
  mul edx
  xor eax, edx
  xor edx, edx
  div ebx
  lea eax, [@ax + @dx*8 + 7]
  dec ecx
  jnz .loop
  ret` },
  { name: 'memory', unit: 'times 64 KiB', count: 16, code: `
  mov eax, 12345
.pass:
  mov edi, BENCH_A
.word:
  imul eax, eax, 1664525
  add eax, 1013904223
  add eax, [@di]
  mov [@di], eax
  add edi, 4
  cmp edi, BENCH_A + 0x10000
  jb .word
  dec ecx
  jnz .pass
  ret` },
  { name: 'string', unit: 'times 64 KiB', count: 64, code: `
  mov ebx, ecx
  xor edx, edx
.pass:
  mov eax, ebx
  mov edi, BENCH_A
  mov ecx, 0x4000
  rep stosd
  mov esi, BENCH_A
  mov edi, BENCH_B
  mov ecx, 0x10000
  rep movsb
  mov byte [BENCH_B + 0xabcd], 0xff
  mov esi, BENCH_A
  mov edi, BENCH_B
  mov ecx, 0x10000
  repe cmpsb
  add edx, ecx
  dec ebx
  jnz .pass
  mov eax, edx
  ret` },
  { name: 'x87', unit: 'Newton steps', count: 100_000, code: `
  fld1
  fld1
  fadd st0, st0                      ; 2, the number; 1, the guess
.loop:
  fld st0
  fdiv st0, st2
  fadd st0, st2
  fld1
  fadd st0, st0
  fdivp st1, st0
  fstp st2
  dec ecx
  jnz .loop
  fstp st0
  push 0
  push 0
  fld1
  push 1 << 28
  fild dword [@sp]
  fmulp st1, st0
  fmulp st1, st0
  fistp dword [@sp]
  pop @ax
  pop @dx
  pop @dx
  ret` },
  { name: 'interrupt', unit: 'software interrupts', count: 100_000, code: `
  mov eax, ecx
.loop:
  int ${SOFTWARE_VECTOR}
  dec ecx
  jnz .loop
  ret` },
];

/** For tests: what every processor must print. */
export const WORKLOAD_NAMES: readonly string[] = WORKLOADS.map((workload) => workload.name);

export const BENCH_SOURCE = `
cmd_bench:
  mov edi, BENCH_A
  xor eax, eax
  mov ecx, 0x8000
  rep stosd
  mov edi, workloads
.next:
  mov eax, [@di]
  test eax, eax
  jz .done
  lea @si, [@di + 8]
  call print
  call .pad
  push @ax
  mov eax, [@di + 4]
  call print_decimal
  pop @ax
  call space
  call print
  mov ecx, [@di + 4]
  push @si                           ; behind the two texts: the next entry
  push @ax
  call read_tsc
  mov [TSC_START], eax
  pop @ax
  call @ax
  push @ax
  call read_tsc
  sub eax, [TSC_START]
  mov ebx, eax
  mov @si, text_checksum
  call print
  pop @ax
  call hex8
  call print
  mov eax, ebx
  shr eax, 10
  call print_decimal
  mov @si, text_cycles
  call print
  pop @di
  jmp .next
.done:
  ret
.pad:
  call space
  cmp dword [COLUMN], 12
  jb .pad
  ret

${WORKLOADS.map(({ name, code }) => `bench_${name}:${code}`).join('\n')}

workloads:
${WORKLOADS.map(({ name, unit, count }) => `  dd bench_${name}, ${count}\n  db "${name}", 0, "${unit}", 0`).join('\n')}
  dd 0
`;
