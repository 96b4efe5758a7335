import { CR0, CR4 } from '@vmm/spec';
import { describe, expect, it } from 'vitest';
import { F, Guest } from './guest.testing.ts';

/**
 * A guest that changes its page tables at random and invalidates as the manual demands, against a reference that has no TLB: it reads the
 * tables anew for each access. Slots clash on purpose (linear pages 16 MiB apart), 2-MiB pages come and go, address spaces switch.
 */
const SEEDS = 12;
const STEPS = 1500;
const REGIONS = [0x1000_0000n, 0x1100_0000n, 0x7f00_1000_0000n, 0xffff_8000_1000_0000n];
const FRAMES = 0x40_0000; // 4..12 MiB: data pages
const FRAME_COUNT = 2048;

function random(seed: number): (below: number) => number {
  let x = Math.imul(seed, 0x9e37_79b1) | 1;
  return (below) => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** The walk again, without a TLB, bits or words: the guest-physical address, or undefined when the access faults. */
function translate(guest: Guest, linear: bigint, write: boolean, user: boolean, wp: boolean): number | undefined {
  let table = guest.state.number('cr3') & ~0xfff;
  let isUser = true, writable = true;
  for (let level = 39n; ; level -= 9n) {
    const entry = guest.memory.guest.read64(table + Number((linear >> level) & 511n) * 8);
    if ((entry & 1n) === 0n) return undefined;
    isUser &&= (entry & 4n) !== 0n;
    writable &&= (entry & 2n) !== 0n;
    if (level === 12n || (entry & 0x80n) !== 0n) {
      if ((user && !isUser) || (write && !writable && (user || wp))) return undefined;
      return Number(((entry >> level) << level) & 0xf_ffff_ffff_f000n) + Number(linear & ((1n << level) - 1n));
    }
    table = Number(entry & 0xf_ffff_ffff_f000n);
  }
}

class Scenario {
  readonly guest = new Guest();
  readonly next: (below: number) => number;
  readonly roots: number[];
  readonly codePages = new Set<number>();
  cpl = 0;

  constructor(seed: number) {
    this.next = random(seed);
    this.guest.enterLongMode({ cr0: CR0.WP, cr4: CR4.PGE });
    this.roots = [this.guest.state.number('cr3'), this.guest.newTable(), this.guest.newTable()];
    for (const root of this.roots) for (let i = 0; i < 40; i++) this.change(root);
    this.guest.mmu.cr3Written();
  }

  page(): bigint {
    return REGIONS[this.next(REGIONS.length)]! + BigInt(this.next(2) * 0x20_0000 + this.next(6) * 0x1000);
  }

  /** Maps, unmaps or restricts a page of one address space. */
  change(root: number): { linear: bigint; wasLarge: boolean } {
    const linear = this.page();
    const { guest, next } = this;
    const flags = (next(6) === 0 ? 0 : F.P) | (next(4) === 0 ? 0 : F.RW) | (next(3) === 0 ? 0 : F.US);
    const directory = this.directoryEntry(linear, root);
    const wasLarge = directory !== undefined && (guest.memory.guest.read32(directory) & F.PS) !== 0;
    if (next(12) === 0) guest.map(linear, FRAMES + next(FRAME_COUNT >> 9) * 0x20_0000, flags, 21, root);
    else {
      if (wasLarge && directory !== undefined) guest.memory.guest.write64(directory, 0n);
      guest.map(linear, FRAMES + next(FRAME_COUNT) * 0x1000, flags, 12, root);
    }
    return { linear, wasLarge };
  }

  directoryEntry(linear: bigint, root: number): number | undefined {
    let table = root & ~0xfff;
    for (const level of [39n, 30n]) {
      const entry = this.guest.memory.guest.read32(table + Number((linear >> level) & 511n) * 8);
      if ((entry & F.P) === 0) return undefined;
      table = entry & ~0xfff;
    }
    return table + Number((linear >> 21n) & 511n) * 8;
  }

  /** As the manual wants it: INVLPG once per 4-KiB page of what was a table of small pages, or once for a large page. */
  invalidate({ linear, wasLarge }: { linear: bigint; wasLarge: boolean }): void {
    const region = linear & ~0x1f_ffffn;
    if (wasLarge) {
      this.invlpg(region + BigInt(this.next(0x20_0000)));
      return;
    }
    for (let i = 0n; i < 6n; i++) this.invlpg(region + i * 0x1000n);
  }

  invlpg(linear: bigint): void {
    this.guest.mmu.invalidatePage(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0);
  }

  step(): void {
    const { guest, next } = this;
    const action = next(40);
    if (action === 0) {
      guest.state.setNumber('cr3', this.roots[next(3)]!);
      guest.mmu.cr3Written();
    } else if (action === 1) {
      this.cpl = 3 - this.cpl;
      guest.setCpl(this.cpl);
    } else if (action < 6) this.invalidate(this.change(guest.state.number('cr3')));
    else if (action === 6) {
      // Another space's tables: its CR3 write, later, is invalidation enough.
      const other = this.roots[next(3)]!;
      if (other !== guest.state.number('cr3')) this.change(other);
    } else if (action === 7) this.protect(translate(guest, this.page(), false, false, true));
    else if (action === 8 && next(10) === 0) guest.mmu.controlChanged();
    else this.compare();
  }

  protect(gpa: number | undefined): void {
    if (gpa === undefined) return;
    this.codePages.add(gpa >>> 12);
    this.guest.mmu.protectCode(this.guest.memory.ramBase + gpa);
  }

  compare(): void {
    const { guest, next } = this;
    const size = [1, 2, 4, 8, 16][next(5)]!;
    const crossing = next(4) === 0;
    const linear = this.page() + BigInt(crossing ? 0x1000 - (next(size) + 1) % size : next(0x1000 - size));
    const write = next(2) === 1;
    const wanted = Array.from({ length: size }, (_, i) => translate(guest, linear + BigInt(i), write, this.cpl === 3, true));
    const culprit = wanted.findIndex((gpa) => gpa === undefined);
    const now = (): (number | undefined)[] => wanted.map((gpa) => gpa === undefined ? undefined : guest.memory.guest.read8(gpa));
    const before = now();
    const value = Array.from({ length: size }, () => next(256));
    guest.codeWrites.length = 0;
    const outcome = write ? guest.store(linear, value) : guest.load(linear, size);
    const context = `${write ? 'write' : 'read'} ${size} at 0x${linear.toString(16)}, CPL ${this.cpl}`;
    if (culprit >= 0) {
      expect(outcome, context).toBe('fault');
      const address = linear + BigInt(culprit);
      expect(guest.fault().address, context).toBe(address);
      expect(now(), context).toEqual(before);
    } else if (!write) expect(outcome, context).toEqual(before);
    else {
      expect(outcome, context).toBe('done');
      // Aliased pages: the second half may land on the first.
      if (new Set(wanted).size === size) expect(now(), context).toEqual(value);
      const code = wanted.filter((gpa) => this.codePages.has(gpa! >>> 12));
      expect(guest.codeWrites.reduce((sum, { size }) => sum + size, 0), context).toBe(code.length);
    }
  }
}

describe('EptMmu under a guest that keeps changing its mind', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))('shows what the tables say (seed %i)', (seed) => {
    const scenario = new Scenario(seed);
    for (let i = 0; i < STEPS; i++) scenario.step();
    const { counters } = scenario.guest.mmu;
    expect(Math.min(counters.fills, counters.pageFaults, counters.pageCrossings, counters.largeInvalidations, counters.codeWrites)).toBeGreaterThan(2);
  });
});
