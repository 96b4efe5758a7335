/** A register as written. */
export interface Register {
  readonly kind: 'gpr' | 'gpr8h' | 'seg' | 'cr' | 'dr' | 'xmm' | 'ymm' | 'mmx' | 'st' | 'rip';
  readonly number: number;
  readonly sizeBytes: number;
}

const table = new Map<string, Register>();

function add(names: string, kind: Register['kind'], sizeBytes: number, first = 0): void {
  for (const [i, name] of names.split(' ').entries()) table.set(name, { kind, number: first + i, sizeBytes });
}

add('al cl dl bl spl bpl sil dil', 'gpr', 1);
add('ah ch dh bh', 'gpr8h', 1, 4);
add('ax cx dx bx sp bp si di', 'gpr', 2);
add('eax ecx edx ebx esp ebp esi edi', 'gpr', 4);
add('rax rcx rdx rbx rsp rbp rsi rdi', 'gpr', 8);
add('es cs ss ds fs gs', 'seg', 2);
add('st', 'st', 10);
for (let n = 0; n < 16; n++) {
  if (n >= 8) for (const [suffix, size] of [['b', 1], ['l', 1], ['w', 2], ['d', 4], ['', 8]] as const) add(`r${n}${suffix}`, 'gpr', size, n);
  add(`cr${n}`, 'cr', 8, n);
  add(`dr${n}`, 'dr', 8, n);
  add(`xmm${n}`, 'xmm', 16, n);
  add(`ymm${n}`, 'ymm', 32, n);
  if (n < 8) {
    add(`mm${n}`, 'mmx', 8, n);
    add(`st${n}`, 'st', 10, n);
  }
}
add('rip', 'rip', 8);
add('eip', 'rip', 4);

export function registerNamed(name: string): Register | undefined {
  return table.get(name.toLowerCase());
}
