import type { AccessKind } from '@vmm/paging';
import { CR0, CR4, RFLAGS } from '@vmm/spec';
import { ModuleBuilder } from '@vmm/wasm';
import { expect, it } from 'vitest';
import { F, Guest } from './guest.testing.ts';

/** The generated refill beside the TypeScript walker on twin guests with the same random tables: the same addresses, faults and table entries. */
const SCENARIOS = 12, STEPS = 2500;
const REGIONS = [0x1000_0000, 0x1040_0000, 0x1120_0000], PAGES = 8, FRAMES = 0x40_0000;
const NX = 1n << 63n, RESERVED = 1n << 50n;
type Access = (lo: number, hi: number, size: number, kind: AccessKind) => number;

function random(seed: number): (below: number) => number {
  let x = Math.imul(seed, 0x9e37_79b1) | 1;
  return (below) => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function generatedAccess(guest: Guest): Access {
  const module = new ModuleBuilder(), { memory } = guest.memory, pages = guest.memory.buffer.byteLength / 0x1_0000;
  module.importMemory({ module: 'env', name: 'memory', minimumPages: pages, maximumPages: pages, shared: true });
  const slow = module.importFunction('env', 'access', ['i32', 'i32', 'i32', 'i32'], ['i32']);
  module.export('access', guest.mmu.defineAccess(module, slow).access);
  const access: Access = (lo, hi, size, kind) => guest.mmu.access(lo, hi, size, kind);
  return new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory, access } }).exports['access'] as Access;
}

it.each(Array.from({ length: SCENARIOS }, (_, i) => i + 1))('does what the walker does (seed %i)', (seed) => {
  const next = random(seed), isLong = seed % 3 !== 0, guests = [new Guest(), new Guest()] as const, [walked, refilled] = guests;
  const mode = { cr0: next(2) * CR0.WP, cr4: next(2) * CR4.SMEP | next(2) * CR4.SMAP | next(2) * CR4.PGE };
  for (const guest of guests) {
    if (isLong) guest.enterLongMode(mode);
    else guest.enter32Bit(mode);
  }
  const accesses = [(lo, hi, size, kind) => walked.mmu.access(lo, hi, size, kind), generatedAccess(refilled)] as const satisfies readonly Access[];
  const entries = new Set<number>();
  const page = (): number => REGIONS[next(REGIONS.length)]! + next(PAGES) * 0x1000;
  let faults = 0;
  for (let step = 0; step < STEPS; step++) {
    const action = next(10), linear = page();
    if (action < 2) {
      const flags = [F.P, F.RW, F.US, F.A, F.D, F.G].reduce((all, flag) => all | (next(5) === 0 ? 0 : flag), 0), gpa = FRAMES + next(512) * 0x1000;
      const isLarge = isLong && next(12) === 0, more = next(4) === 0 ? NX : next(12) === 0 ? RESERVED : 0n;
      for (const guest of guests) {
        const at = isLong ? guest.map(BigInt(linear), isLarge ? gpa & ~0x1f_ffff : gpa, flags, isLarge ? 21 : 12) : guest.map32(linear, gpa, flags);
        if (isLong) guest.memory.guest.write64(at, guest.memory.guest.read64(at) | more);
        entries.add(at);
        guest.mmu.invalidatePage(linear, 0);
        if (isLarge) guest.mmu.flushAll();
      }
    } else if (action === 2) {
      const cpl = next(2) * 3, ac = next(2) * RFLAGS.AC;
      for (const guest of guests) {
        guest.state.set('eflags', ac);
        guest.setCpl(cpl);
      }
    } else {
      const size = 2 ** next(4), lo = linear + next(0x1000 - size), hi = isLong && next(40) === 0 ? 0x1_0000 : 0, kind = next(4) as AccessKind;
      const [expected, actual] = guests.map((guest, i) => {
        guest.state.set('faultVector', -1);
        guest.state.set('faultError', 0);
        const host = accesses[i]!(lo, hi, size, kind) >>> 0;
        return { host, ...guest.fault(), entries: [...entries].map((at) => guest.memory.guest.read32(at)) };
      });
      expect(actual, `kind ${kind} of ${size} at ${hi.toString(16)}:${lo.toString(16)}, CPL ${walked.state.get('cpl')}`).toEqual(expected);
      if (actual!.host === 0) faults++;
    }
  }
  expect(faults).toBeGreaterThan(100);
  expect(refilled.mmu.counters.pageFaults).toBe(walked.mmu.counters.pageFaults);
  expect(refilled.mmu.counters.slowAccesses).toBeLessThan(walked.mmu.counters.slowAccesses / 2);
});
