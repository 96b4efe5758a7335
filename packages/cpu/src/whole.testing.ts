/** A whole CPU with memory and MMU, and the tables of `TestMachine` in it: for tests that run code. */
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { TestMachine } from './cpu.testing.ts';
import type { CpuModel } from './models.ts';
import { CPU_MODELS } from './models.ts';
import { Vcpu } from './vcpu.ts';
import type { VcpuOptions } from './vcpu.ts';

export interface WholeMachine {
  readonly vcpu: Vcpu;
  readonly m: TestMachine;
  /** Puts code at an address of guest memory, as hexadecimal bytes. */
  readonly place: (at: number, hex: string) => void;
}

export function wholeMachine(options: Partial<VcpuOptions> & { readonly model?: CpuModel } = {}): WholeMachine {
  const memory = options.memory ?? new MachineMemory({ ramBytes: 4 << 20 });
  const vcpu = new Vcpu({
    memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context), clock: { readTsc: () => 0n, tscHz: 1e9 },
    ports: { read: () => 0, write: () => undefined }, interrupts: { pending: () => false, takeNmi: () => false, acknowledge: () => -1 }, ...options,
  });
  const m = new TestMachine({}, vcpu);
  return { vcpu, m, place: (at, hex) => { hex.split(/\s+/).forEach((byte, index) => { m.write8(at + index, Number.parseInt(byte, 16)); }); } };
}
