import { describe, expect, it } from 'vitest';
import type { MachineMemory } from '@vmm/memory';
import { DATA, PAGE_DIRECTORY, runFlat, STACK, TABLES } from './flat-machine.testing.ts';

const GDT = 0x18_1000, IDT = 0x18_2000, TSS = 0x18_3000, USER_STACK = 0x18_8000;
/** So many instructions that a function with them is called, not translated once more. */
const BODY = Array.from({ length: 30 }, (_, i) => `lea ebp, [ebp + ${String(i + 1)}]`).join('\n');

/** Everything but DATA and the kernel's stack, which lie in one large page, is the user's too. */
function prepare(memory: MachineMemory, bits: 32 | 64): void {
  const { guest } = memory, wide = bits === 64;
  for (const at of [TABLES, TABLES + 0x1000, PAGE_DIRECTORY]) guest.write64(at, guest.read64(at) | 4n);
  const entry = (access: number, flags: number): bigint => 0x000f_0000_0000_ffffn | BigInt(flags) << 52n | BigInt(access) << 40n;
  // SYSEXIT wants the user's code below its data, SYSRET above; segments 0x30 and 0x38 are the others
  const [code3, data3] = [entry(0xfb, wide ? 0xa : 0xc), entry(0xf3, 0xc)];
  [0n, entry(0x9b, wide ? 0xa : 0xc), entry(0x93, 0xc), wide ? data3 : code3, wide ? code3 : data3, BigInt(TSS) << 16n | 0x89n << 40n | 0x67n].forEach((value, i) => { guest.write64(GDT + 8 * i, value); });
  if (wide) guest.write64(TSS + 4, BigInt(STACK));
  else {
    guest.write32(TSS + 4, STACK);
    guest.write32(TSS + 8, 0x10);
  }
}

const setup = (bits: 32 | 64): string => `
    lgdt [gdt_image]
    lidt [idt_image]
    mov eax, 0x28
    ltr ax
    mov eax, [user_data]
    mov ds, eax
    mov es, eax
    jmp start
    align 16
gdt_image: dw 0x37
    dd ${String(GDT)}
    dd 0
idt_image: dw 0xfff
    dd ${String(IDT)}
    dd 0
user_data: dd ${bits === 64 ? '0x1b' : '0x23'}
start:`;
/** Gates for the vectors that the program uses, all to be reached from ring 3. */
const gate = (vector: number, handler: string, bits: 32 | 64): string => `
    mov eax, ${handler}
    mov word [${String(IDT + vector * bits / 4)}], ax
    shr eax, 16
    mov word [${String(IDT + vector * bits / 4 + 6)}], ax
    mov dword [${String(IDT + vector * bits / 4 + 2)}], 0xee000008`;
const toUser = (bits: 32 | 64, target: string): string => (bits === 64
  ? `push 0x1b\npush ${String(USER_STACK)}\npush 2\npush 0x23\npush ${target}\niretq`
  : `push 0x23\npush ${String(USER_STACK)}\npush 2\npush 0x1b\npush ${target}\niretd`);
const msr = (index: number, low: number | string, high = 0): string => `mov ecx, ${String(index)}\nmov eax, ${String(low)}\nmov edx, ${String(high)}\nwrmsr`;

/** The call behind which the user arrives was made with the kernel's rights. */
const INTRUSION = `${setup(64)}${gate(14, 'fault', 64)}
    mov esi, 943
again:
    mov rsp, ${String(STACK)}
    call drops
after:
    add edi, [${String(DATA)}]
next:
    dec esi
    jnz again
    hlt
drops: ${BODY}
    test esi, 3
    jz drop
    ret
drop: ${toUser(64, 'user')}
user: mov eax, after
    jmp rax
fault: add ebx, [rsp]
    add ebx, [rsp + 16]
    jmp next`;

const PROGRAMS: readonly { readonly name: string; readonly bits: 32 | 64; readonly source: string }[] = [
  {
    name: 'SYSENTER, SYSEXIT behind STI, INT n and IRET, within calls', bits: 32,
    source: `${setup(32)}${gate(0x80, 'gate80', 32)}${gate(0x81, 'done', 32)}
    ${msr(0x174, 8)}\n${msr(0x175, STACK)}\n${msr(0x176, 'entry')}
    ${toUser(32, 'user')}
user: mov esi, 3000
again:
    call stub
    adc edi, eax
    int 0x80
    sbb edi, ebx
    pushfd
    pop eax
    add edi, eax
    dec esi
    jnz again
    int 0x81
stub: ${BODY}
    mov ecx, esp
    mov edx, back
    lea eax, [esi + esi]
    cmp eax, ebp
    sysenter
back: rcl ebx, 1
    ret
entry: push ecx
    push edx
    call work
    pop edx
    pop ecx
    cmp ebx, 5
    sti
    sysexit
work: ${BODY}
    mov ax, cs
    mov eax, eax
    ret
gate80: push eax
    call work
    add edi, [esp + 8]
    pop eax
    cmp eax, 0
    iretd
done: hlt`,
  },
  {
    name: 'SYSCALL, SWAPGS and SYSRET, within calls', bits: 64,
    source: `${setup(64)}${gate(0x81, 'done', 64)}
    ${msr(0xc000_0080, 0x501)}\n${msr(0xc000_0081, 0, 0x0010_0008)}\n${msr(0xc000_0082, 'entry')}\n${msr(0xc000_0084, 0x200)}\n${msr(0xc000_0102, DATA)}
    ${toUser(64, 'user')}
user: mov esi, 3000
again:
    call stub
    adc rdi, rax
    dec esi
    jnz again
    int 0x81
stub: ${BODY}
    lea eax, [rsi + rsi]
    cmp eax, ebp
    syscall
    rcl rbx, 1
    add rdi, r11
    ret
entry: swapgs
    mov [gs:8], rsp
    mov rsp, ${String(STACK)}
    push rcx
    push r11
    call work
    pop r11
    pop rcx
    mov rsp, [gs:8]
    swapgs
    o64 sysret
work: ${BODY}
    mov rax, cr0
    add [gs:16], rax
    mov eax, cs
    ret
done: hlt`,
  },
  { name: 'a user that goes to where the kernel has called', bits: 64, source: INTRUSION },
];

describe('transfers in translated code', () => {
  it.each(PROGRAMS)('do what they do in the interpreter: $name', { timeout: 60_000 }, ({ bits, source }) => {
    const run = (engine: 'interpreter' | 'translator'): ReturnType<typeof runFlat> => runFlat(bits, source, engine, { hotThreshold: 40, prepare: (memory) => { prepare(memory, bits); } });
    const expected = run('interpreter'), actual = run('translator');
    expect(expected.result).toBe('halt');
    expect({ ...actual, counters: {} }).toEqual({ ...expected, counters: {} });
    // hardly anything is left to the interpreter: a few turns for each slice, and to warm up
    expect(actual.counters['regionEntries']).toBeGreaterThan(0);
    expect(actual.counters['regionEntries']).toBeLessThan(2500);
  });
});
