import { expect, it } from 'vitest';
import type { ModuleStore } from './module-store.ts';
import { wholeMachine } from './whole.testing.ts';

it('makes the interpreter once, and runs what was kept as well', () => {
  const saved = new Map<string, Uint8Array<ArrayBuffer>>(), asked: string[] = [];
  const moduleStore: ModuleStore = {
    load: (key) => { asked.push(key); return saved.get(key); },
    save: (key, bytes) => { saved.set(key, Uint8Array.from(bytes)); },
  };
  const run = (): number => {
    const { vcpu, m, place } = wholeMachine({ moduleStore });
    m.protected(0);
    place(0x5000, 'b8 34 12 00 00 83 c0 01 f4'); // mov eax, 0x1234; add eax, 1; hlt
    expect(vcpu.run(100)).toBe('halt');
    return Number(m.gpr(0));
  };
  expect([run(), run()]).toEqual([0x1235, 0x1235]);
  expect(saved.size).toBe(1);
  expect(asked).toEqual([[...saved.keys()][0], [...saved.keys()][0]]);
  // broken on purpose: it is the kept module that runs
  for (const [key, bytes] of saved) saved.set(key, bytes.fill(0, bytes.length / 2));
  expect(run).toThrow(WebAssembly.CompileError);
});
