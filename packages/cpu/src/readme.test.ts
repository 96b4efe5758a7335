import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { expect, it } from 'vitest';
import { CPU_MODELS } from './models.ts';
import { Vcpu } from './vcpu.ts';

it('runs the example of the README', () => {
  const memory = new MachineMemory({ ramBytes: 1 << 20 });
  const cpu = new Vcpu({
    memory, model: CPU_MODELS.default32, createMmu: (context) => new EptMmu(context), clock: { readTsc: () => 0n, tscHz: 1e9 },
    ports: { read: () => 0xff, write: () => undefined }, interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
  });
  memory.u8.set([0xb8, 0x2a, 0x00, 0xf4], memory.ramBase + 0x7c00); // mov ax, 42 · hlt
  const real = { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 };
  cpu.boot({
    mode: 'real', rip: 0x7c00, rsp: 0x7c00, rflags: 2, registers: {}, cr0: 0, cr3: 0, cr4: 0, efer: 0, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0x3ff },
    segments: { cs: real, ds: real, es: real, ss: real },
  });
  expect([cpu.run(1000), cpu.state.number('gpr', 0)]).toEqual(['halt', 42]);
});
