/** Random bytes as code, in every mode and ring, with interrupts and NMIs: a guest can do nothing that throws or hangs. */
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { expect, it } from 'vitest';
import { EFLAGS, GPR } from './architecture.ts';
import { SELECTOR, TestMachine } from './cpu.testing.ts';
import { CPU_MODELS } from './models.ts';
import { Vcpu } from './vcpu.ts';

const CASES = 400, INSTRUCTIONS_PER_CASE = 300;
const CODE = 0x5000, HANDLERS = 0x6000, VECTORS = 64;
/** Handlers step over one byte of the faulting code (past the error code where there is one) and return. */
const SKIP16 = [0x89, 0xe5, 0xff, 0x46, 0x00, 0xcf]; // mov bp, sp · inc word [bp] · iret
const SKIP32 = [0xff, 0x04, 0x24, 0xcf], SKIP32_ERROR = [0x59, 0xff, 0x04, 0x24, 0xcf];
const SKIP64 = [0x48, 0xff, 0x04, 0x24, 0x48, 0xcf], SKIP64_ERROR = [0x59, 0x48, 0xff, 0x04, 0x24, 0x48, 0xcf];
const HAS_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);

it(`survives ${String(CASES)} programs`, () => {
  let seed = 0x1234_5679;
  const next = (): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed >>> 0;
  };
  const below = (limit: number): number => next() % limit;
  let isPending = false;
  const memory = new MachineMemory({ ramBytes: 4 << 20 });
  const vcpu = new Vcpu({
    memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context), clock: { readTsc: () => BigInt(next()), tscHz: 1e9 },
    ports: { read: next, write: () => undefined },
    interrupts: { pending: () => isPending, takeNmi: () => below(40) === 0, acknowledge: () => { isPending = false; return 0x20 + below(16); } },
  });
  const m = new TestMachine({}, vcpu);
  const bytes = (at: number, code: readonly number[]): void => { code.forEach((byte, index) => { m.write8(at + index, byte); }); };
  const results = new Set<string>();
  for (let index = 0; index < CASES; index++) {
    vcpu.reset();
    const mode = index % 5, rflags = EFLAGS.FIXED | EFLAGS.IF | (below(2) ? EFLAGS.IOPL_MASK : 0);
    for (let at = 0; at < 0x2_0000; at += 4) m.write32(at, at >= CODE && at < HANDLERS ? next() : 0);
    if (mode === 0) m.real({ rflags });
    else if (mode <= 2) m.protected(mode === 1 ? 0 : 3, { rflags });
    else m.long(mode === 3 ? 0 : 3, { rflags });
    for (let vector = 0; vector < VECTORS; vector++) {
      const handler = HANDLERS + 16 * vector;
      if (mode === 0) m.write16(4 * vector, handler);
      else if (mode <= 2) m.gate(vector, SELECTOR.code0, handler, vector === 3 ? 0xee : 0x8e);
      else m.gate64(vector, SELECTOR.code64, BigInt(handler), { access: vector === 3 ? 0xee : 0x8e, ist: below(4) === 0 ? 1 + below(7) : 0 });
      const hasError = HAS_ERROR.has(vector);
      bytes(handler, mode === 0 ? SKIP16 : mode <= 2 ? hasError ? SKIP32_ERROR : SKIP32 : hasError ? SKIP64_ERROR : SKIP64);
    }
    for (let register = 0; register < 16; register++) {
      if (register !== GPR.RSP) m.gpr(register, mode >= 3 && below(2) ? BigInt(next()) << 32n | BigInt(next()) : BigInt(below(3) ? below(0x2_0000) : next()));
    }
    for (let slice = 0; slice < 3; slice++) {
      isPending = below(2) === 0;
      vcpu.requestAttention();
      const result = vcpu.run(INSTRUCTIONS_PER_CASE / 3);
      results.add(result);
      if (result === 'shutdown') break;
    }
  }
  expect([...results].every((result) => ['slice', 'halt', 'shutdown'].includes(result))).toBe(true);
  expect(results.has('slice')).toBe(true);
  // Most of it must be instructions that work, or the test looks at nothing but #UD.
  expect(vcpu.instructions).toBeGreaterThan(CASES * INSTRUCTIONS_PER_CASE / 2);
}, 120_000);
