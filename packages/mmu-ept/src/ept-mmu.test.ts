import { PAGE } from '@vmm/memory';
import { CR0, CR4, EFER, PAGE_FAULT as PF, RFLAGS, VECTOR } from '@vmm/spec';
import { VCPU_LAYOUT } from '@vmm/state';
import { describe, expect, it } from 'vitest';
import { F, Guest, PRIVATE_BASE, RAM_BYTES } from './guest.testing.ts';

const USER = F.P | F.RW | F.US;
const KERNEL = F.P | F.RW;
const bytes = (count: number, first = 1): number[] => Array.from({ length: count }, (_, i) => first + i);
const isBounce = (host: number): boolean => host === PRIVATE_BASE + VCPU_LAYOUT.bounce;

function longMode(more: Parameters<Guest['enterLongMode']>[0] = {}): Guest {
  const guest = new Guest();
  guest.enterLongMode(more);
  return guest;
}

describe('without paging', () => {
  it('linear addresses are guest-physical ones, and the second access hits the TLB', () => {
    const guest = new Guest();
    expect(guest.probe(0x5004n, 4, 0)).toBe(0);
    expect(guest.access(0x5004n, 4, 0)).toBe(guest.memory.ramBase + 0x5004);
    expect([guest.probe(0x5ffcn, 4, 0), guest.probe(0x5000n, 1, 1), guest.probe(0x5000n, 1, 2)])
      .toEqual([guest.memory.ramBase + 0x5ffc, guest.memory.ramBase + 0x5000, guest.memory.ramBase + 0x5000]);
  });
  it('an empty TLB has no entry for page 0 of address space 0', () => {
    expect(new Guest().probe(0n, 1, 0)).toBe(0);
  });
});

describe('the TLB', () => {
  it('takes a page for stores only once it is dirty', () => {
    const guest = longMode();
    const pte = guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.load(0x40_0000n, 4);
    expect([guest.probe(0x40_0000n, 4, 0) !== 0, guest.probe(0x40_0000n, 4, 1)]).toEqual([true, 0]);
    expect(guest.memory.guest.read32(pte) & (F.A | F.D)).toBe(F.A);
    expect(guest.store(0x40_0000n, bytes(4))).toBe('done');
    expect(guest.memory.guest.read32(pte) & (F.A | F.D)).toBe(F.A | F.D);
    expect(guest.probe(0x40_0000n, 4, 1)).toBe(guest.memory.ramBase + 0x5000);
  });
  it('takes a page for stores at the first read when it is dirty already', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL | F.A | F.D);
    guest.load(0x40_0000n, 4);
    expect(guest.probe(0x40_0000n, 4, 1)).not.toBe(0);
  });
  it('holds no right the page does not give', () => {
    const guest = longMode({ cr0: CR0.WP });
    guest.map(0x40_0000n, 0x5000, F.P | F.A | F.D);
    const nx = guest.map(0x40_1000n, 0x6000, KERNEL | F.A | F.D);
    guest.memory.guest.write32(nx + 4, 0x8000_0000);
    guest.load(0x40_0000n, 1);
    guest.load(0x40_1000n, 1);
    expect([0, 1, 2].map((kind) => guest.probe(0x40_0000n, 1, kind as 0) !== 0)).toEqual([true, false, true]);
    expect([0, 1, 2].map((kind) => guest.probe(0x40_1000n, 1, kind as 0) !== 0)).toEqual([true, true, false]);
  });
  it('keeps askers apart: supervisor, supervisor with AC, user', () => {
    const guest = longMode({ cr4: CR4.SMAP });
    guest.map(0x40_0000n, 0x5000, USER | F.A | F.D);
    guest.map(0x80_0000n, 0x6000, KERNEL | F.A | F.D);
    expect(guest.load(0x40_0000n, 1)).toBe('fault');
    guest.state.set('eflags', RFLAGS.AC);
    guest.mmu.contextChanged();
    expect(guest.load(0x40_0000n, 1)).not.toBe('fault');
    guest.state.set('eflags', 0);
    guest.mmu.contextChanged();
    expect(guest.load(0x40_0000n, 1)).toBe('fault');
    expect(guest.load(0x80_0000n, 1)).not.toBe('fault');
    guest.setCpl(3);
    expect(guest.load(0x80_0000n, 1)).toBe('fault');
    expect(guest.fault()).toEqual({ vector: VECTOR.PF, error: PF.P | PF.US, address: 0x80_0000n });
    expect(guest.load(0x40_0000n, 1)).not.toBe('fault');
  });
  it('sees a more generous entry without INVLPG, as a page-fault handler expects', () => {
    const guest = longMode({ cr0: CR0.WP });
    const pte = guest.map(0x40_0000n, 0x5000, F.P);
    guest.load(0x40_0000n, 1);
    expect(guest.store(0x40_0000n, [1])).toBe('fault');
    expect(guest.fault()).toEqual({ vector: VECTOR.PF, error: PF.P | PF.WR, address: 0x40_0000n });
    guest.memory.guest.write32(pte, 0x5000 | KERNEL);
    expect(guest.store(0x40_0000n, [1])).toBe('done');
  });
  it('walks no page twice for TypeScript callers', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.mmu.write32(0x40_0000, 0, 1);
    const { walks } = guest.mmu.counters;
    for (let i = 0; i < 8; i++) guest.mmu.read8(0x40_0000 + i, 0);
    expect(guest.mmu.counters.walks).toBe(walks);
  });
});

describe('address spaces', () => {
  it('keep nothing across a CR3 write, the same CR3 included', () => {
    const guest = longMode();
    const pte = guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.memory.guest.write8(0x5000, 0x55);
    guest.memory.guest.write8(0x6000, 0x66);
    expect(guest.load(0x40_0000n, 1)).toEqual([0x55]);
    guest.memory.guest.write32(pte, 0x6000 | KERNEL);
    expect(guest.load(0x40_0000n, 1)).toEqual([0x55]);
    guest.mmu.cr3Written();
    expect(guest.load(0x40_0000n, 1)).toEqual([0x66]);
  });
  it('can be switched thousands of times: when tags run out the table is wiped', () => {
    const guest = longMode();
    const roots = [guest.newTable(), guest.newTable()];
    roots.forEach((root, i) => { guest.map(0x40_0000n, 0x5000 + i * 0x1000, KERNEL, 12, root); });
    guest.memory.guest.write8(0x5000, 0x55);
    guest.memory.guest.write8(0x6000, 0x66);
    for (let i = 0; i < 3000; i++) {
      guest.state.setNumber('cr3', roots[i % 2]!);
      guest.mmu.cr3Written();
      expect(guest.load(0x40_0000n, 1)).toEqual([i % 2 === 0 ? 0x55 : 0x66]);
    }
    expect(guest.mmu.counters.wipes).toBe(2);
  });
  it('take global pages over without a walk, until they are flushed', () => {
    const guest = longMode({ cr4: CR4.PGE });
    guest.map(0x40_0000n, 0x5000, KERNEL | F.G);
    guest.map(0x40_1000n, 0x6000, KERNEL);
    const walksFor = (linear: bigint): number => {
      const before = guest.mmu.counters.walks;
      guest.load(linear, 1);
      return guest.mmu.counters.walks - before;
    };
    expect([walksFor(0x40_0000n), walksFor(0x40_1000n)]).toEqual([1, 1]);
    guest.mmu.cr3Written();
    expect([walksFor(0x40_0000n), walksFor(0x40_1000n)]).toEqual([0, 1]);
    expect(guest.mmu.counters.revivals).toBe(1);
    guest.mmu.invalidatePage(0x40_0000, 0);
    expect(walksFor(0x40_0000n)).toBe(1);
    guest.mmu.controlChanged();
    expect(walksFor(0x40_0000n)).toBe(1);
  });
  it('do not take global pages over without CR4.PGE, nor give them to another asker', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL | F.G);
    guest.load(0x40_0000n, 1);
    guest.mmu.cr3Written();
    guest.load(0x40_0000n, 1);
    expect(guest.mmu.counters.revivals).toBe(0);
    guest.state.setNumber('cr4', CR4.PAE | CR4.PGE);
    guest.mmu.controlChanged();
    guest.load(0x40_0000n, 1);
    guest.setCpl(3);
    expect(guest.load(0x40_0000n, 1)).toBe('fault');
  });
  it('are remembered by PCID when a CR3 write says keep', () => {
    const guest = longMode({ cr4: CR4.PCIDE });
    const roots = [guest.newTable(), guest.newTable()];
    roots.forEach((root, i) => { guest.map(0x40_0000n, 0x5000 + i * 0x1000, KERNEL, 12, root); });
    const enter = (pcid: number, keep: boolean): number => {
      guest.state.setNumber('cr3', roots[pcid]! + pcid + 1);
      guest.mmu.cr3Written(keep);
      const { walks } = guest.mmu.counters;
      expect(guest.load(0x40_0000n, 1)).not.toBe('fault');
      expect(guest.mmu.probe(0x40_0000, 0, 0)).toBe(0x5000 + pcid * 0x1000);
      return guest.mmu.counters.walks - walks;
    };
    expect([enter(0, true), enter(0, true), enter(0, false)]).toEqual([1, 0, 1]);
    // Two spaces share a slot, so the switch costs a walk, but never shows the other's page.
    expect([enter(1, true), enter(0, true)]).toEqual([1, 1]);
    guest.mmu.invalidatePcid(2);
    expect(enter(0, true)).toBe(0);
    guest.mmu.invalidatePcid(1);
    expect(enter(0, true)).toBe(1);
    guest.mmu.flushAll();
    expect(enter(0, true)).toBe(1);
  });
});

describe('INVLPG', () => {
  it('kills one page in every context and leaves its neighbours', () => {
    const guest = longMode();
    const pte = guest.map(0x40_0000n, 0x5000, USER);
    guest.map(0x40_1000n, 0x7000, USER);
    guest.load(0x40_0000n, 1);
    guest.load(0x40_1000n, 1);
    guest.memory.guest.write32(pte, 0);
    guest.mmu.invalidatePage(0x40_0123, 0);
    expect(guest.load(0x40_0000n, 1)).toBe('fault');
    expect(guest.probe(0x40_1000n, 1, 0)).not.toBe(0);
  });
  it.each([[21, 0x20_0000, 0x60_0000n], [30, 0, 0x4000_0000n]] as const)('of one address kills all cached pieces of a 2^%i page', (shift, gpa, linear) => {
    const guest = longMode();
    const pde = guest.map(linear, gpa, KERNEL, shift);
    for (const piece of [0n, 0x1000n, 0x5000n, 0x1f_f000n]) expect(guest.load(linear + piece, 1)).not.toBe('fault');
    guest.memory.guest.write32(pde, 0);
    guest.mmu.invalidatePage(Number(linear) + 0x9123, 0);
    for (const piece of [0n, 0x1000n, 0x5000n, 0x1f_f000n]) expect(guest.load(linear + piece, 1)).toBe('fault');
    expect(guest.mmu.counters.largeInvalidations).toBe(1);
  });
  it('of one address kills all of a 4-MiB page', () => {
    const guest = new Guest();
    guest.enter32Bit();
    const pde = guest.state.number('cr3') + (0xc000_0000 >>> 22) * 4;
    guest.memory.guest.write32(pde, 0x40_0000 | F.PS | KERNEL);
    const pieces = [0xc000_0000n, 0xc01f_f000n, 0xc020_0000n, 0xc03f_f000n];
    for (const piece of pieces) expect(guest.load(piece, 1)).not.toBe('fault');
    guest.memory.guest.write32(pde, 0);
    guest.mmu.invalidatePage(0xc010_0000 | 0, 0);
    for (const piece of pieces) expect(guest.load(piece, 1)).toBe('fault');
  });
  it('is narrow again once the large page is gone', () => {
    const guest = longMode();
    guest.map(0x60_0000n, 0x20_0000, KERNEL, 21);
    guest.load(0x60_0000n, 1);
    guest.mmu.invalidatePage(0x60_0000, 0);
    guest.mmu.invalidatePage(0x60_0000, 0);
    expect(guest.mmu.counters).toMatchObject({ invalidations: 2, largeInvalidations: 1 });
  });
});

describe('pages with decoded code', () => {
  it('trap every store before it happens, and only those', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.store(0x40_0000n, [0x90]);
    guest.mmu.protectCode(guest.memory.ramBase + 0x5123);
    expect(guest.probe(0x40_0000n, 1, 0)).not.toBe(0);
    expect(guest.store(0x40_0010n, bytes(4))).toBe('done');
    expect(guest.store(0x40_0010n, bytes(4, 9), 3)).toBe('done');
    expect(guest.codeWrites).toEqual([{ gpa: 0x5010, size: 4, before: 0 }, { gpa: 0x5010, size: 4, before: 1 }]);
    expect(guest.load(0x40_0010n, 4)).toEqual(bytes(4, 9));
  });
  it('lose the write tags of every alias', () => {
    const guest = longMode();
    const aliases = [0x40_0000n, 0x81_1000n, 0xffff_8000_0000_3000n];
    for (const alias of aliases) { guest.map(alias, 0x5000, KERNEL); guest.store(alias, [1]); }
    guest.mmu.protectCode(guest.memory.ramBase + 0x5000);
    for (const alias of aliases) expect(guest.probe(alias, 1, 1)).toBe(0);
    for (const alias of aliases) guest.store(alias, [2]);
    expect(guest.codeWrites).toHaveLength(3);
  });
  it('become fast again when the block cache lets go, even from inside the hook', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.mmu.protectCode(guest.memory.ramBase + 0x5000);
    guest.onCodeWrite = (host) => { guest.mmu.unprotectCode(host); };
    guest.store(0x40_0000n, [1]);
    guest.store(0x40_0000n, [2]);
    expect(guest.codeWrites).toHaveLength(1);
    expect(guest.probe(0x40_0000n, 1, 1)).not.toBe(0);
  });
  it('need no walk per store', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.mmu.protectCode(guest.memory.ramBase + 0x5000);
    guest.store(0x40_0000n, [1]);
    const { walks } = guest.mmu.counters;
    for (let i = 0; i < 5; i++) guest.store(0x40_0000n, [i]);
    expect(guest.mmu.counters.walks).toBe(walks);
  });
  it('trap the half of a page-crossing store that hits them', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.map(0x40_1000n, 0x6000, KERNEL);
    guest.mmu.protectCode(guest.memory.ramBase + 0x6000);
    guest.store(0x40_0ffdn, bytes(8));
    expect(guest.codeWrites).toEqual([{ gpa: 0x6000, size: 5, before: 0 }]);
    expect(guest.load(0x40_0ffdn, 8)).toEqual(bytes(8));
  });
});

describe('page-crossing accesses', () => {
  const LINEAR = 0x40_0ffen;
  function twoPages(second: number, gpas: readonly [number, number]): Guest & { ptes: number[] } {
    const guest = longMode({ cr0: CR0.WP });
    return Object.assign(guest, { ptes: [guest.map(0x40_0000n, gpas[0], KERNEL), guest.map(0x40_1000n, gpas[1], second)] });
  }

  it.each([2, 4, 8, 16, 32])('of %i bytes reach both pages', (size) => {
    const guest = twoPages(KERNEL, [0x5000, 0x9000]);
    const at = 0x40_1000n - BigInt(size / 2);
    expect(guest.probe(at, size, 1)).toBe(0);
    guest.store(at, bytes(size));
    expect([...guest.memory.guest.readBytes(0x6000 - size / 2, size / 2), ...guest.memory.guest.readBytes(0x9000, size / 2)]).toEqual(bytes(size));
    expect(guest.load(at, size)).toEqual(bytes(size));
    expect(guest.store(at, bytes(size, 50), 3)).toBe('done');
    expect(guest.load(at, size)).toEqual(bytes(size, 50));
  });
  it('need no bounce buffer when the pages are neighbours in memory', () => {
    const guest = twoPages(KERNEL, [0x5000, 0x6000]);
    expect(guest.host(LINEAR, 4, 1)).toBe(guest.memory.ramBase + 0x5ffe);
    expect(guest.host(LINEAR, 4, 0)).toBe(guest.memory.ramBase + 0x5ffe);
  });
  it('read before they modify', () => {
    const guest = twoPages(KERNEL, [0x5000, 0x9000]);
    guest.store(LINEAR, bytes(4));
    const host = guest.access(LINEAR, 4, 3);
    expect([...guest.memory.u8.subarray(host, host + 4)]).toEqual(bytes(4));
    expect(isBounce(host)).toBe(true);
  });
  it('write nothing, mark nothing dirty and blame the second page when that one refuses', () => {
    const guest = twoPages(F.P, [0x5000, 0x9000]);
    expect(guest.store(LINEAR, bytes(4))).toBe('fault');
    expect(guest.fault()).toEqual({ vector: VECTOR.PF, error: PF.P | PF.WR, address: 0x40_1000n });
    expect(guest.memory.guest.read16(0x5ffe)).toBe(0);
    expect(guest.memory.guest.read32(guest.ptes[0]!) & (F.A | F.D)).toBe(0);
  });
  it('blame the first page first', () => {
    const guest = longMode();
    expect(guest.store(LINEAR, bytes(4))).toBe('fault');
    expect(guest.fault()).toEqual({ vector: VECTOR.PF, error: PF.WR, address: LINEAR });
  });
  it('wrap at 4 GiB outside 64-bit code', () => {
    const guest = new Guest();
    guest.enter32Bit();
    guest.map32(0xffff_f000, 0x5000, KERNEL);
    guest.map32(0, 0x9000, KERNEL);
    guest.store(0xffff_fffen, bytes(4));
    expect([guest.memory.guest.read16(0x5ffe), guest.memory.guest.read16(0x9000)]).toEqual([0x0201, 0x0403]);
  });
  it('do not wrap at 4 GiB inside it, but do at the top of the address space', () => {
    const guest = longMode();
    guest.map(0xffff_f000n, 0x5000, KERNEL);
    guest.map(0x1_0000_0000n, 0x9000, KERNEL);
    guest.map(0xffff_ffff_ffff_f000n, 0xb000, KERNEL);
    guest.map(0n, 0xd000, KERNEL);
    guest.store(0xffff_fffen, bytes(4));
    guest.store(0xffff_ffff_ffff_fffen, bytes(4, 5));
    expect([0x5ffe, 0x9000, 0xbffe, 0xd000].map((gpa) => guest.memory.guest.read16(gpa))).toEqual([0x0201, 0x0403, 0x0605, 0x0807]);
  });
});

describe('MMIO', () => {
  const DEVICE = 0xfee0_0000;
  function withDevice(): Guest {
    const guest = longMode();
    guest.map(0x40_0000n, DEVICE, USER);
    guest.map(0x40_1000n, 0x9000, USER);
    guest.map(0x40_2000n, DEVICE + 0x5000, USER);
    return guest;
  }

  it.each([
    [1, ['r1 fee00080']], [2, ['r2 fee00080']], [4, ['r4 fee00080']], [8, ['r4 fee00080', 'r4 fee00084']],
    [10, ['r4 fee00080', 'r4 fee00084', 'r2 fee00088']],
    [32, [0, 4, 8, 0xc, 0x10, 0x14, 0x18, 0x1c].map((i) => `r4 fee000${(0x80 + i).toString(16)}`)],
  ])('reads of %i bytes reach the device in pieces it knows', (size, log) => {
    const guest = withDevice();
    expect(guest.load(0x40_0080n, size)).toEqual(bytes(size, 0x80));
    expect(guest.mmioLog).toEqual(log);
  });
  it('writes reach it once, at the commit', () => {
    const guest = withDevice();
    const host = guest.access(0x40_00b0n, 8, 1);
    expect([isBounce(host), guest.mmioLog]).toEqual([true, []]);
    guest.memory.u8.set(bytes(8), host);
    expect(guest.mmu.commit()).toBe(0);
    expect(guest.mmioLog).toEqual(['w4 fee000b0 4030201', 'w4 fee000b4 8070605']);
    guest.mmu.commit();
    expect(guest.mmioLog).toHaveLength(2);
  });
  it('read-modify-write reads first', () => {
    const guest = withDevice();
    guest.store(0x40_0010n, [1], 3);
    expect(guest.mmioLog).toEqual(['r1 fee00010', 'w1 fee00010 1']);
  });
  it('never enters the TLB, and walks the tables once', () => {
    const guest = withDevice();
    guest.load(0x40_0010n, 4);
    guest.store(0x40_0010n, bytes(4));
    const { walks } = guest.mmu.counters;
    guest.load(0x40_0010n, 4);
    guest.store(0x40_0010n, bytes(4));
    expect(guest.mmu.counters.walks).toBe(walks);
    expect([0, 1, 2].map((kind) => guest.probe(0x40_0010n, 4, kind as 0))).toEqual([0, 0, 0]);
    expect(guest.mmu.counters.mmio).toBe(4);
  });
  it('may share a crossing access with RAM, on either side', () => {
    const guest = withDevice();
    guest.memory.guest.writeBytes(0x9000, Uint8Array.of(0xaa, 0xbb));
    guest.memory.guest.writeBytes(0x9ffe, Uint8Array.of(0xcc, 0xdd));
    expect(guest.load(0x40_0ffdn, 5)).toEqual([0xfd, 0xfe, 0xff, 0xaa, 0xbb]);
    expect(guest.load(0x40_1ffen, 4)).toEqual([0xcc, 0xdd, 0, 1]);
    expect(guest.mmioLog).toEqual(['r2 fee00ffd', 'r1 fee00fff', 'r2 fee05000']);
    guest.store(0x40_1ffen, bytes(4));
    expect(guest.mmioLog.at(-1)).toBe('w2 fee05000 403');
    expect(guest.memory.guest.read16(0x9ffe)).toBe(0x0201);
  });
  it('is what a hole in RAM and memory behind its end are', () => {
    const guest = longMode();
    guest.memory.protectHole(0xa_0000, 0x2_0000, true);
    guest.map(0x40_0000n, 0xa_0000, KERNEL);
    guest.map(0x40_1000n, RAM_BYTES, KERNEL);
    guest.load(0x40_0000n, 1);
    guest.load(0x40_1000n, 1);
    expect(guest.mmioLog).toEqual(['r1 a0000', `r1 ${RAM_BYTES.toString(16)}`]);
  });
  it('reaches addresses above 4 GiB', () => {
    const guest = longMode();
    const pte = guest.map(0x40_0000n, 0, KERNEL);
    guest.memory.guest.write32(pte + 4, 0x12);
    guest.load(0x40_0004n, 4);
    expect(guest.mmioLog).toEqual(['r4 1200000004']);
  });
  it('is no place to run code: fetches find all ones, devices see nothing, marking it is harmless', () => {
    const guest = withDevice();
    guest.load(0x40_0010n, 4);
    expect(guest.load(0x40_0010n, 1, 2)).toEqual([0xff]);
    const host = guest.access(0x40_0010n, 1, 2);
    expect([isBounce(host), [...guest.memory.u8.subarray(host, host + 16)]]).toEqual([true, Array.from({ length: 16 }, () => 0xff)]);
    guest.mmu.protectCode(host);
    guest.mmu.unprotectCode(host);
    expect(guest.mmioLog).toEqual(['r4 fee00010']);
  });
  it('obeys page permissions', () => {
    const guest = withDevice();
    guest.map(0x40_3000n, DEVICE, KERNEL);
    guest.setCpl(3);
    expect(guest.load(0x40_3000n, 1)).toBe('fault');
    expect(guest.mmioLog).toEqual([]);
  });
});

describe('ROM', () => {
  function withRom(): Guest {
    const guest = new Guest({ memoryOptions: { romBytes: 0x1000 } });
    guest.memory.mapRom(0xf_0000, Uint8Array.of(1, 2, 3, 4));
    guest.memory.mapRom(0xffff_f000, Uint8Array.of(5, 6, 7, 8));
    return guest;
  }
  it.each([[0xf_0000n, bytes(4)], [0xffff_f000n, bytes(4, 5)]])('at %i reads like RAM and drops stores', (linear, contents) => {
    const guest = withRom();
    expect(guest.load(linear, 4)).toEqual(contents);
    expect([guest.probe(linear, 4, 0) !== 0, guest.probe(linear, 4, 2) !== 0, guest.probe(linear, 4, 1)]).toEqual([true, true, 0]);
    expect(guest.store(linear, [9, 9, 9, 9])).toBe('done');
    expect(guest.store(linear, [9, 9, 9, 9], 3)).toBe('done');
    expect(guest.mmu.write32(Number(linear) | 0, 0, 9)).toBe(true);
    expect(guest.load(linear, 4)).toEqual(contents);
  });
  it('becomes writable when the chipset says so, also for what was cached', () => {
    const guest = withRom();
    guest.load(0xf_0000n, 4);
    guest.memory.protectRom(0xf_0000, 0x1000, false);
    expect(guest.store(0xf_0000n, [9])).toBe('done');
    expect(guest.load(0xf_0000n, 1)).toEqual([9]);
    expect(guest.probe(0xf_0000n, 1, 1)).not.toBe(0);
    guest.memory.protectRom(0xf_0000, 0x1000, true);
    expect(guest.probe(0xf_0000n, 1, 1)).toBe(0);
  });
});

describe('the dirty log', () => {
  it('hears of the first store to each page, crossing ones and accessed bits included', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    const pte = guest.map(0x40_1000n, 0x9000, KERNEL);
    guest.store(0x40_0000n, [1]);
    guest.memory.watchStores();
    guest.store(0x40_0ffen, bytes(4));
    guest.store(0x40_0000n, [2]);
    expect(guest.probe(0x40_0000n, 1, 1)).toBe(guest.memory.ramBase + 0x5000);
    const pages: number[] = [];
    guest.memory.takeDirty((page) => pages.push(page));
    expect(pages.sort((a, b) => a - b)).toEqual([0x5, 0x9, pte >> 12].sort((a, b) => a - b));
    guest.store(0x40_0000n, [3]);
    guest.memory.takeDirty((page) => pages.push(page));
    expect(pages.at(-1)).toBe(5);
  });
});

describe('A20', () => {
  it('folds linear, table and cached addresses the moment it closes', () => {
    const guest = new Guest();
    guest.memory.guest.write8(0x123, 0x11);
    guest.memory.guest.write8(0x10_0123, 0x22);
    expect(guest.load(0x10_0123n, 1)).toEqual([0x22]);
    guest.memory.setA20(false);
    expect(guest.load(0x10_0123n, 1)).toEqual([0x11]);
    guest.memory.setA20(true);
    expect(guest.load(0x10_0123n, 1)).toEqual([0x22]);
  });
});

describe('faults', () => {
  it.each([[0x8000_0000_0000n], [0x1234_0000_0000_0000n], [0xffff_7fff_ffff_ffffn], [0x8000_0000_0000_0000n]])('a non-canonical address %i is #GP(0)', (linear) => {
    const guest = longMode();
    expect(guest.load(linear, 1)).toBe('fault');
    expect(guest.fault()).toMatchObject({ vector: VECTOR.GP, error: 0 });
    expect(guest.mmu.counters.canonicalFaults).toBe(1);
  });
  it('a stack access is #SS(0) instead', () => {
    const guest = new Guest({ lastSegmentWasStack: () => true });
    guest.enterLongMode();
    guest.load(0x8000_0000_0000n, 1);
    expect(guest.fault()).toMatchObject({ vector: VECTOR.SS, error: 0 });
  });
  it('an access that runs into non-canonical space writes nothing', () => {
    const guest = longMode();
    guest.map(0x7fff_ffff_f000n, 0x5000, KERNEL);
    expect(guest.store(0x7fff_ffff_fffen, bytes(4))).toBe('fault');
    expect(guest.fault()).toMatchObject({ vector: VECTOR.GP });
    expect(guest.memory.guest.read16(0x5ffe)).toBe(0);
  });
  it('57-bit addresses are canonical with LA57', () => {
    const guest = longMode();
    guest.state.setNumber('cr4', CR4.PAE | CR4.LA57);
    guest.mmu.controlChanged();
    guest.load(0x8000_0000_0000n, 1);
    expect(guest.fault().vector).toBe(VECTOR.PF);
    guest.load(0x0100_0000_0000_0000n, 1);
    expect(guest.fault().vector).toBe(VECTOR.GP);
  });
  it('give the whole 64-bit linear address', () => {
    const guest = longMode();
    guest.store(0xffff_8880_1234_5678n, [1], 3);
    expect(guest.fault()).toEqual({ vector: VECTOR.PF, error: PF.WR, address: 0xffff_8880_1234_5678n });
  });
});

describe('system accesses', () => {
  it('act as supervisor whatever the CPL, and are stopped by SMAP whatever AC', () => {
    const guest = longMode({ cr4: CR4.SMAP, cr0: CR0.WP });
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.map(0x40_1000n, 0x6000, USER);
    guest.setCpl(3);
    guest.state.set('eflags', RFLAGS.AC);
    guest.mmu.contextChanged();
    expect(guest.mmu.writeSystem32(0x40_0000, 0, 0x8765_4321)).toBe(true);
    expect([guest.mmu.readSystem32(0x40_0000, 0), guest.mmu.readSystem16(0x40_0000, 0), guest.mmu.readSystem8(0x40_0003, 0), guest.mmu.faulted]).toEqual([0x8765_4321, 0x4321, 0x87, false]);
    expect([guest.mmu.readSystem32(0x40_1000, 0), guest.mmu.faulted]).toEqual([0, true]);
    expect(guest.fault()).toEqual({ vector: VECTOR.PF, error: PF.P, address: 0x40_1000n });
    expect(guest.mmu.writeSystem8(0x40_1000, 0, 1)).toBe(false);
  });
  it('leave user code without their rights', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.setCpl(3);
    guest.mmu.writeSystem16(0x40_0000, 0, 7);
    expect([guest.mmu.read16(0x40_0000, 0), guest.mmu.faulted]).toEqual([0, true]);
    expect(guest.fault().error).toBe(PF.P | PF.US);
    expect(guest.mmu.write8(0x40_0000, 0, 7)).toBe(false);
  });
  it('and current-privilege ones cross pages and reach devices', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.map(0x40_1000n, 0x9000, KERNEL);
    guest.map(0x40_2000n, 0xfee0_0000, KERNEL);
    expect(guest.mmu.write32(0x40_0ffe, 0, 0x4433_2211)).toBe(true);
    expect([guest.memory.guest.read16(0x5ffe), guest.memory.guest.read16(0x9000)]).toEqual([0x2211, 0x4433]);
    expect(guest.mmu.read32(0x40_0ffe, 0)).toBe(0x4433_2211);
    guest.mmu.write16(0x40_2010, 0, 0xabcd);
    expect(guest.mmioLog).toEqual(['w2 fee00010 abcd']);
  });
});

describe('probe', () => {
  it('translates without faulting or touching accessed bits, and counts nothing', () => {
    const guest = longMode();
    const pte = guest.map(0x40_0000n, 0x5000, KERNEL);
    const before = { ...guest.mmu.counters };
    expect(guest.mmu.probe(0x40_0123, 0, 1)).toBe(0x5123);
    expect([guest.mmu.probe(0x50_0000, 0, 0), guest.mmu.probe(0, 0x8000, 0)]).toEqual([-1, -1]);
    expect(guest.memory.guest.read32(pte) & (F.A | F.D)).toBe(0);
    expect([guest.fault().vector, guest.mmu.counters]).toEqual([-1, before]);
  });
});

describe('control registers', () => {
  it('change what cached entries allow', () => {
    const guest = longMode();
    guest.map(0x40_0000n, 0x5000, F.P);
    expect(guest.store(0x40_0000n, [1])).toBe('done');
    guest.state.setNumber('cr0', CR0.PE + CR0.PG + CR0.WP);
    guest.mmu.controlChanged();
    expect(guest.store(0x40_0000n, [1])).toBe('fault');
  });
  it('switch formats: paging off, 32-bit, PAE', () => {
    const guest = new Guest();
    guest.enter32Bit();
    guest.map32(0x40_0000, 0x5000, KERNEL);
    guest.memory.guest.write8(0x5000, 0x55);
    expect(guest.load(0x40_0000n, 1)).toEqual([0x55]);
    guest.state.setNumber('cr0', CR0.PE);
    guest.mmu.controlChanged();
    expect(guest.load(0x40_0000n, 1)).toEqual([0]);
    const pdpt = guest.newTable(), directory = guest.newTable();
    guest.memory.guest.write32(pdpt, directory | F.P);
    guest.memory.guest.write32(directory + 2 * 8, 0x60_0000 | F.PS | KERNEL);
    guest.memory.guest.write8(0x60_0000, 0x66);
    guest.state.setNumber('cr3', pdpt);
    guest.state.setNumber('cr4', CR4.PAE);
    guest.state.setNumber('cr0', CR0.PE + CR0.PG);
    expect(guest.mmu.pdptesValid(pdpt)).toBe(true);
    guest.mmu.controlChanged();
    expect(guest.load(0x40_0000n, 1)).toEqual([0x66]);
  });
  it('protection keys: a new PKRU counts at once', () => {
    const guest = longMode({ cr4: CR4.PKE });
    const pte = guest.map(0x40_0000n, 0x5000, USER);
    guest.memory.guest.write32(pte + 4, 1 << 27);
    guest.setCpl(3);
    expect(guest.store(0x40_0000n, [1])).toBe('done');
    const setPkru = (value: number): void => {
      guest.state.set('pkru', value);
      guest.mmu.protectionKeysChanged();
    };
    setPkru(1 << 2);
    expect(guest.load(0x40_0000n, 1)).toBe('fault');
    expect(guest.fault().error).toBe(PF.P | PF.US | PF.PK);
    expect(guest.load(0x40_0000n, 1, 2)).not.toBe('fault');
    setPkru(0);
    expect(guest.load(0x40_0000n, 1)).not.toBe('fault');
  });
  it('protection keys of supervisor pages: a new PKRS counts at once', () => {
    const guest = longMode({ cr4: CR4.PKS, cr0: CR0.WP });
    const pte = guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.memory.guest.write32(pte + 4, 1 << 27);
    expect(guest.store(0x40_0000n, [1])).toBe('done');
    guest.state.set('pkrs', 2 << 2);
    guest.mmu.protectionKeysChanged();
    expect([guest.load(0x40_0000n, 1), guest.store(0x40_0000n, [1]), guest.fault().error]).toEqual([[1], 'fault', PF.P | PF.WR | PF.PK]);
  });
  it('alignment is checked for users with AC and AM, and for nobody else', () => {
    const guest = longMode({ cr0: CR0.AM });
    guest.map(0x40_0000n, 0x5000, USER);
    guest.setCpl(3);
    const context = (flags: number, cr0: number): void => {
      guest.state.set('eflags', flags);
      guest.state.setNumber('cr0', (CR0.PE | CR0.PG | cr0) >>> 0);
      guest.mmu.contextChanged();
    };
    context(RFLAGS.AC, CR0.AM);
    expect([guest.store(0x40_0001n, [1, 2]), guest.fault().vector]).toEqual(['fault', VECTOR.AC]);
    expect([guest.store(0x40_0004n, [1, 2, 3, 4]), guest.store(0x40_0003n, [1])]).toEqual(['done', 'done']);
    expect([guest.load(0x40_0004n, 8), guest.fault().vector]).toEqual(['fault', VECTOR.AC]);
    expect([guest.store(0x8000_0000_0000n + 1n, [1, 2]), guest.fault().vector]).toEqual(['fault', VECTOR.GP]);
    context(0, CR0.AM);
    expect(guest.store(0x40_0001n, [1, 2])).toBe('done');
    context(RFLAGS.AC, 0);
    expect(guest.store(0x40_0001n, [1, 2])).toBe('done');
    context(RFLAGS.AC, CR0.AM);
    guest.setCpl(0);
    expect(guest.store(0x40_0001n, [1, 2])).toBe('done');
  });
  it('EFER.NXE clear makes XD a reserved bit', () => {
    const guest = longMode();
    const pte = guest.map(0x40_0000n, 0x5000, KERNEL);
    guest.memory.guest.write32(pte + 4, 0x8000_0000);
    expect(guest.load(0x40_0000n, 1)).not.toBe('fault');
    guest.state.setNumber('efer', EFER.LMA | EFER.LME);
    guest.mmu.controlChanged();
    expect(guest.load(0x40_0000n, 1)).toBe('fault');
    expect(guest.fault().error).toBe(PF.P | PF.RSVD);
  });
});

describe('attributes', () => {
  it('TRACED pages report stores to their own hook', () => {
    const traced: number[] = [];
    const guest = new Guest({ onTracedWrite: (host) => { traced.push(host); } });
    guest.store(0x5000n, [1]);
    guest.memory.setAttribute(guest.memory.ramBase + 0x5000, PAGE.TRACED);
    guest.mmu.flushAll();
    guest.store(0x5004n, [1]);
    guest.store(0x5ffen, bytes(4));
    expect(traced).toEqual([guest.memory.ramBase + 0x5004, guest.memory.ramBase + 0x5ffe]);
  });
});
