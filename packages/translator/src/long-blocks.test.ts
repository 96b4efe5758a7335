import { describe, expect, it } from 'vitest';
import { DATA, runFlat } from './flat-machine.testing.ts';

const ROUNDS = 150;

/** Carries go from instruction to instruction, and the stack's window stays open: both outlive the locals of what came before. */
function round(i: number, [a, b, sp]: readonly [string, string, string], word: number): string {
  const at = (slot: number): string => `[${sp} + ${String((slot * 7 % 40) * word)}]`;
  return `
    add ${a}, ${at(i)}
    adc ${b}, ${a}
    mov ${at(i + 1)}, ${b}
    sbb ${a}, ${at(i + 3)}
    rol ${b}, ${String(i % 13 + 1)}
    xor ${a}, ${b}`;
}

describe.each([32, 64] as const)('a block of a thousand instructions, %i bits', (bits) => {
  const names = bits === 64 ? ['rax', 'rbx', 'rsp'] as const : ['eax', 'ebx', 'esp'] as const;
  const source = `
        mov ecx, 60
        mov ${names[2]}, ${String(DATA + 0x100)}
      again:
        ${Array.from({ length: ROUNDS }, (_, i) => round(i, names, bits / 8)).join('')}
        setc dl
        dec ecx
        jnz again
        hlt`;

  it('does what the interpreter does, in code of few locals', () => {
    const made: number[] = [], { Module } = WebAssembly;
    WebAssembly.Module = new Proxy(Module, { construct: (target, [bytes]: [Uint8Array<ArrayBuffer>]) => { made.push(localsOf(bytes)); return new target(bytes); } });
    try {
      const expected = runFlat(bits, source, 'interpreter');
      made.length = 0;
      const actual = runFlat(bits, source, 'translator');
      expect(actual.counters['regions']).toBeGreaterThan(0);
      expect({ ...actual, counters: {} }).toEqual({ ...expected, counters: {} });
      // behind the interpreter's own module; copies that turn out to be needed are made further up, in locals that are not used again
      expect(Math.max(...made.slice(1))).toBeLessThan(900);
    } finally {
      WebAssembly.Module = Module;
    }
  });
});

/** The most that one function of the module has. */
function localsOf(bytes: Uint8Array): number {
  let at = 8, most = 0;
  const number = (): number => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const id = bytes[at++], end = number() + at;
    for (let left = id === 10 ? number() : 0; left > 0; left--) {
      const next = number() + at;
      let locals = 0;
      for (let groups = number(); groups > 0; groups--, at++) locals += number();
      most = Math.max(most, locals);
      at = next;
    }
    at = end;
  }
  return most;
}
