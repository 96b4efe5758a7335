import { CR0, CR4, EFER, PAGE_FAULT as PF } from '@vmm/spec';
import { describe, expect, it } from 'vitest';
import { ACCESS } from './mmu.ts';
import type { AccessKind } from './mmu.ts';
import { ASKER } from './rights.ts';
import { WALK } from './walker.ts';
import { STAGE2_ACCESS, WalkFixture } from './walker.testing.ts';
import type { ModeName } from './walker.testing.ts';

const { read, write, execute, modify } = ACCESS;
const { user, supervisor, supervisorAc } = ASKER;
const P = 1n, RW = 2n, US = 4n, A = 0x20n, D = 0x40n, PS = 0x80n, XD = 1n << 63n;

/** Maps one linear address in each format: root table at 0x1000, the lower ones at 0x2000, 0x3000, ... */
const SHAPES = {
  '32-bit': { linear: 0x0040_3000, shifts: [22, 12], bytes: 4 },
  PAE: { linear: 0x4020_3000, shifts: [30, 21, 12], bytes: 8 },
  '4-level': { linear: 0x4020_3000, shifts: [39, 30, 21, 12], bytes: 8 },
  '5-level': { linear: 0x4020_3000, shifts: [48, 39, 30, 21, 12], bytes: 8 },
} as const;
type Paged = keyof typeof SHAPES;
const PAGED = Object.keys(SHAPES) as Paged[];

function entryAt(mode: Paged, depth: number): number {
  const { linear, shifts, bytes } = SHAPES[mode];
  return 0x1000 * (depth + 1) + (Math.floor(linear / 2 ** shifts[depth]!) % (0x1000 / bytes)) % (mode === 'PAE' && depth === 0 ? 4 : 4096) * bytes;
}

function put(f: WalkFixture, mode: Paged, at: number, entry: bigint): void {
  if (SHAPES[mode].bytes === 4) f.write32(at, Number(entry));
  else f.write64(at, entry);
}

function get(f: WalkFixture, mode: Paged, at: number): bigint {
  return SHAPES[mode].bytes === 4 ? BigInt(f.read32(at)) : f.read64(at);
}

interface Setup { readonly leaf?: bigint; readonly tables?: bigint; readonly cr0?: number; readonly cr4?: number; readonly noEfer?: number; readonly pkru?: number; readonly pkrs?: number }

/** Page 0x9000 mapped by `leaf`, reached through tables whose entries all have `tables`. */
function mapped(mode: Paged, { leaf = P | RW | US, tables = P | RW | US, cr0 = 0, cr4 = 0, noEfer = 0, pkru = 0, pkrs = 0 }: Setup): WalkFixture {
  const f = new WalkFixture();
  const depth = SHAPES[mode].shifts.length - 1;
  for (let i = 0; i < depth; i++) {
    const flags = mode === 'PAE' && i === 0 ? P : tables;
    put(f, mode, entryAt(mode, i), BigInt(0x1000 * (i + 2)) | flags);
  }
  put(f, mode, entryAt(mode, depth), 0x9000n | leaf);
  f.walker.pkru = pkru;
  f.walker.pkrs = pkrs;
  f.enter(mode, 0x1000, { cr0, cr4, noEfer });
  return f;
}

/** The error code, or -1 when the access is allowed. */
function outcome(f: WalkFixture, mode: Paged, kind: AccessKind, asker: number): number {
  const result = f.walker.walk(SHAPES[mode].linear, 0, kind, asker, true);
  return result === WALK.ok ? -1 : f.walker.errorCode;
}

describe('PageWalker', () => {
  it('is the identity with every right while paging is off', () => {
    const f = new WalkFixture();
    f.enter('none', 0);
    expect(f.walker.walk(0x8765_4321 | 0, 0, write, user, true)).toBe(WALK.ok);
    expect([f.walker.physLo >>> 0, f.walker.physHi, f.walker.rights, f.walker.dirty]).toEqual([0x8765_4000, 0, 7, true]);
  });

  it.each(PAGED)('translates through %s tables and counts the entries it reads', (mode) => {
    const f = mapped(mode, {});
    expect(outcome(f, mode, read, user)).toBe(-1);
    expect([f.walker.physLo, f.walker.physHi, f.walker.pageShift]).toEqual([0x9000, 0, 12]);
    expect(f.walker.references).toBe({ '32-bit': 2, PAE: 2, '4-level': 4, '5-level': 5 }[mode]);
  });
});

describe.each(PAGED)('%s permission', (mode) => {
  const nx = mode === '32-bit' ? 0 : PF.ID;
  const ok = -1;
  it.each<[string, Setup, AccessKind, number, number]>([
    ['user read of a user page', {}, read, user, ok],
    ['user write of a writable page', {}, write, user, ok],
    ['user RMW of a writable page', {}, modify, user, ok],
    ['user fetch', {}, execute, user, ok],
    ['read of an absent page', { leaf: 0n }, read, supervisor, 0],
    ['user read of an absent page', { leaf: 0n }, read, user, PF.US],
    ['user write of an absent page', { leaf: 0n }, write, user, PF.US | PF.WR],
    ['user RMW of an absent page', { leaf: 0n }, modify, user, PF.US | PF.WR],
    ['user fetch of an absent page', { leaf: 0n }, execute, user, PF.US | nx],
    ['supervisor fetch of an absent page with SMEP', { leaf: 0n, cr4: CR4.SMEP }, execute, supervisor, PF.ID],
    ['reserved bits say nothing in an absent entry', { leaf: 0xfn << 40n & ~P & (mode === '32-bit' ? 0n : -1n) }, read, supervisor, 0],
    ['user read of a supervisor page', { leaf: P | RW }, read, user, PF.P | PF.US],
    ['user write of a supervisor page', { leaf: P | RW }, write, user, PF.P | PF.US | PF.WR],
    ['user fetch of a supervisor page', { leaf: P | RW }, execute, user, PF.P | PF.US | nx],
    ['user write of a read-only page', { leaf: P | US }, write, user, PF.P | PF.US | PF.WR],
    ['user RMW of a read-only page', { leaf: P | US }, modify, user, PF.P | PF.US | PF.WR],
    ['supervisor write of a read-only page, WP clear', { leaf: P | US }, write, supervisorAc, ok],
    ['supervisor write of a read-only page, WP set', { leaf: P | US, cr0: CR0.WP }, write, supervisorAc, PF.P | PF.WR],
    ['supervisor write of a read-only supervisor page, WP set', { leaf: P, cr0: CR0.WP }, write, supervisor, PF.P | PF.WR],
    ['supervisor fetch of a user page', {}, execute, supervisor, ok],
    ['supervisor fetch of a user page, SMEP', { cr4: CR4.SMEP }, execute, supervisorAc, PF.P | PF.ID],
    ['supervisor fetch of a supervisor page, SMEP', { leaf: P, cr4: CR4.SMEP }, execute, supervisor, ok],
    ['supervisor read of a user page, SMAP', { cr4: CR4.SMAP }, read, supervisor, PF.P],
    ['supervisor write of a user page, SMAP', { cr4: CR4.SMAP }, write, supervisor, PF.P | PF.WR],
    ['supervisor read of a user page, SMAP but AC', { cr4: CR4.SMAP }, read, supervisorAc, ok],
    ['supervisor read of a supervisor page, SMAP', { leaf: P, cr4: CR4.SMAP }, read, supervisor, ok],
    ['supervisor fetch of a user page, SMAP without SMEP', { cr4: CR4.SMAP }, execute, supervisor, ok],
    ['user fetch with neither NXE nor SMEP has no I bit', { leaf: 0n, noEfer: EFER.NXE }, execute, user, PF.US],
  ])('%s', (_name, setup, kind, asker, expected) => {
    expect(outcome(mapped(mode, setup), mode, kind, asker)).toBe(expected);
  });

  it.each<[string, bigint, AccessKind, number, number]>([
    ['without US', P | RW, read, user, PF.P | PF.US],
    ['without RW', P | US, write, user, PF.P | PF.US | PF.WR],
    ['absent', 0n, read, user, PF.US],
  ])('a table entry %s counts like the page itself', (_name, tables, kind, asker, expected) => {
    expect(outcome(mapped(mode, { tables }), mode, kind, asker)).toBe(expected);
  });
});

describe.each(PAGED.filter((mode) => mode !== '32-bit'))('%s no-execute and reserved bits', (mode) => {
  it.each<[string, Setup, AccessKind, number, number]>([
    ['user fetch of an NX page', { leaf: P | US | XD }, execute, user, PF.P | PF.US | PF.ID],
    ['supervisor fetch of an NX page', { leaf: P | XD }, execute, supervisor, PF.P | PF.ID],
    ['read of an NX page', { leaf: P | US | XD }, read, user, -1],
    ['NX in a table entry', { tables: P | RW | US | XD }, execute, user, PF.P | PF.US | PF.ID],
    ['XD without NXE is reserved', { leaf: P | US | XD, noEfer: EFER.NXE }, read, user, PF.P | PF.US | PF.RSVD],
    ['address bits beyond MAXPHYADDR are reserved', { leaf: P | US | 1n << 40n }, write, user, PF.P | PF.US | PF.WR | PF.RSVD],
    ['also in a table entry', { tables: P | US | 1n << 51n }, execute, supervisor, PF.P | PF.RSVD | PF.ID],
    ['reserved bits win over permission', { leaf: P | 1n << 45n }, read, user, PF.P | PF.US | PF.RSVD],
    ['the last address bit is not reserved', { leaf: P | US | 1n << 39n }, read, user, -1],
    ['bits 62:52 are reserved in PAE only', { leaf: P | US | 1n << 52n }, read, user, mode === 'PAE' ? PF.P | PF.US | PF.RSVD : -1],
  ])('%s', (_name, setup, kind, asker, expected) => {
    expect(outcome(mapped(mode, setup), mode, kind, asker)).toBe(expected);
  });
});

describe.each(['4-level', '5-level'] as const)('%s protection keys', (mode) => {
  const leaf = P | RW | US | 5n << 59n;
  const AD = 1 << 10, WD = 2 << 10;
  const cr4 = CR4.PKE;
  it.each<[string, Setup, AccessKind, number, number]>([
    ['no rights taken', { leaf, cr4, pkru: ~(3 << 10) }, write, user, -1],
    ['AD stops reads', { leaf, cr4, pkru: AD }, read, user, PF.P | PF.US | PF.PK],
    ['AD stops writes', { leaf, cr4, pkru: AD }, write, user, PF.P | PF.US | PF.WR | PF.PK],
    ['AD stops supervisor reads of user pages', { leaf, cr4, pkru: AD }, read, supervisorAc, PF.P | PF.PK],
    ['AD never stops fetches', { leaf, cr4, pkru: AD }, execute, user, -1],
    ['WD lets reads pass', { leaf, cr4, pkru: WD }, read, user, -1],
    ['WD stops user writes', { leaf, cr4, pkru: WD }, write, user, PF.P | PF.US | PF.WR | PF.PK],
    ['WD stops supervisor writes with WP', { leaf, cr4, pkru: WD, cr0: CR0.WP }, write, supervisorAc, PF.P | PF.WR | PF.PK],
    ['WD lets supervisor writes pass without WP', { leaf, cr4, pkru: WD }, write, supervisorAc, -1],
    ['keys say nothing about supervisor pages', { leaf: P | RW | 5n << 59n, cr4, pkru: -1 }, write, supervisor, -1],
    ['PKRS AD stops supervisor reads of supervisor pages', { leaf: P | RW | 5n << 59n, cr4: CR4.PKS, pkrs: AD }, read, supervisor, PF.P | PF.PK],
    ['PKRS WD stops supervisor writes with WP', { leaf: P | RW | 5n << 59n, cr4: CR4.PKS, pkrs: WD, cr0: CR0.WP }, write, supervisor, PF.P | PF.WR | PF.PK],
    ['PKRS WD lets writes pass without WP', { leaf: P | RW | 5n << 59n, cr4: CR4.PKS, pkrs: WD }, write, supervisor, -1],
    ['PKRS never stops fetches', { leaf: P | RW | 5n << 59n, cr4: CR4.PKS, pkrs: AD }, execute, supervisor, -1],
    ['PKRS says nothing about user pages', { leaf, cr4: CR4.PKS, pkrs: -1 }, write, user, -1],
    ['PKRS says nothing to user accesses', { leaf: P | RW | 5n << 59n, cr4: CR4.PKS, pkrs: -1 }, read, user, PF.P | PF.US],
    ['keys say nothing without PKE', { leaf, pkru: -1 }, write, user, -1],
    ['PK is reported beside another reason', { leaf: leaf & ~RW, cr4, pkru: AD }, write, user, PF.P | PF.US | PF.WR | PF.PK],
    ['another key is not touched', { leaf, cr4, pkru: 3 << 12 | 3 << 8 }, write, user, -1],
  ])('%s', (_name, setup, kind, asker, expected) => {
    expect(outcome(mapped(mode, setup), mode, kind, asker)).toBe(expected);
  });
});

describe('large pages', () => {
  const table = P | RW | US;
  function walkLarge(mode: ModeName, entries: readonly (readonly [number, bigint])[], lo: number, cr4 = 0): WalkFixture & { result: number } {
    const f = new WalkFixture();
    for (const [at, entry] of entries) {
      if (mode === '32-bit') f.write32(at, Number(entry));
      else f.write64(at, entry);
    }
    f.enter(mode, 0x1000, { cr4 });
    return Object.assign(f, { result: f.walker.walk(lo, 0, read, user, true) });
  }

  it('of 4 MiB carry address bits 39:32 in bits 20:13', () => {
    const f = walkLarge('32-bit', [[0x1000 + 4, 0x0080_0000n | 0xa5n << 13n | PS | table]], 0x0053_4567);
    expect([f.result, f.walker.physLo, f.walker.physHi, f.walker.pageShift]).toEqual([WALK.ok, 0x0093_4000, 0xa5, 22]);
  });
  it('of 4 MiB have bit 21 reserved', () => {
    const f = walkLarge('32-bit', [[0x1004, 1n << 21n | PS | table]], 0x0040_0000);
    expect([f.result, f.walker.errorCode]).toEqual([WALK.pageFault, PF.P | PF.US | PF.RSVD]);
  });
  it('do not exist in 32-bit paging without CR4.PSE', () => {
    const f = new WalkFixture();
    f.write32(0x1004, Number(0x2000n | PS | table));
    f.write32(0x2000, Number(0x7000n | table));
    f.walker.configure(CR0.PG, 0, 0);
    f.walker.setRoot(0x1000, 0);
    expect(f.walker.walk(0x0040_0000, 0, read, user, true)).toBe(WALK.ok);
    expect([f.walker.physLo, f.walker.pageShift]).toEqual([0x7000, 12]);
  });
  it('of 2 MiB give the 4-KiB piece asked for', () => {
    const f = walkLarge('4-level', [[0x1000, 0x2000n | table], [0x2000, 0x3000n | table], [0x3008, 0x12_3460_0000n | PS | table]], 0x0023_4567);
    expect([f.result, f.walker.physLo, f.walker.physHi, f.walker.pageShift]).toEqual([WALK.ok, 0x3463_4000, 0x12, 21]);
  });
  it('of 2 MiB have bits 20:13 reserved, but not PAT', () => {
    const entries = (bits: bigint): [number, bigint][] => [[0x1000, 0x2000n | P], [0x2008, bits | PS | table]];
    expect(walkLarge('PAE', entries(1n << 13n), 0x20_0000).walker.errorCode).toBe(PF.P | PF.US | PF.RSVD);
    expect(walkLarge('PAE', entries(1n << 12n), 0x20_0000).result).toBe(WALK.ok);
  });
  it('of 1 GiB exist where the model has them, and are reserved where not', () => {
    const f = walkLarge('4-level', [[0x1000, 0x2000n | table], [0x2008, 0x4000_0000n | PS | table]], 0x7654_3210);
    expect([f.result, f.walker.physLo, f.walker.pageShift]).toEqual([WALK.ok, 0x7654_3000, 30]);
    const without = new WalkFixture({ gigabytePages: false });
    without.write64(0x1000, 0x2000n | table);
    without.write64(0x2008, 0x4000_0000n | PS | table);
    without.enter('4-level', 0x1000);
    expect(without.walker.walk(0x7654_3210, 0, read, user, true)).toBe(WALK.pageFault);
    expect(without.walker.errorCode).toBe(PF.P | PF.US | PF.RSVD);
  });
  it('do not exist above that: PS in a PML4 entry is reserved', () => {
    expect(walkLarge('4-level', [[0x1000, 0x2000n | PS | table]], 0).walker.errorCode).toBe(PF.P | PF.US | PF.RSVD);
  });
});

describe('linear addresses above 4 GiB', () => {
  it.each([
    ['4-level', 0xffff_8880, 0x1234_5000, [273, 0, 145, 325]],
    ['5-level', 0xff11_0000, 0x0000_1000, [273, 0, 0, 0, 1]],
    ['5-level', 0x00ab_cdef, 0x89ab_c000, [171, 411, 446, 77, 188]],
  ] as const)('index the %s tables by all their bits', (mode, hi, lo, indexes) => {
    const f = new WalkFixture();
    indexes.forEach((index, i) => { f.write64(0x1000 * (i + 1) + index * 8, BigInt(0x1000 * (i + 2)) | P | RW | US); });
    f.enter(mode, 0x1000);
    expect(f.walker.walk(lo | 0, hi | 0, read, user, true)).toBe(WALK.ok);
    expect(f.walker.physLo).toBe(0x1000 * (indexes.length + 1));
  });
});

describe('PAE page-directory pointers', () => {
  it('are registers: a change in memory counts only after CR3 is written', () => {
    const f = mapped('PAE', {});
    f.write64(entryAt('PAE', 0), 0n);
    expect(outcome(f, 'PAE', read, user)).toBe(-1);
    f.walker.setRoot(0x1000, 0);
    expect(outcome(f, 'PAE', read, user)).toBe(PF.US);
  });
  it.each([['bit 1', 1n << 1n, false], ['bit 5', 1n << 5n, false], ['bit 63', XD, false], ['bit 40', 1n << 40n, false], ['PWT, PCD and bits 11:9', 0xe18n, true]])(
    'with %s set load only if that bit is not reserved', (_name, bits, valid) => {
      const f = new WalkFixture();
      f.write64(0x1020 + 16, 0x2000n | P | bits);
      f.enter('PAE', 0x1020);
      expect(f.walker.pdptesValid(0x1020)).toBe(valid);
    });
  it('are not checked while absent, and checking loads nothing', () => {
    const f = mapped('PAE', {});
    f.write64(0x5000, 0x1e6n);
    expect(f.walker.pdptesValid(0x5000)).toBe(true);
    expect(outcome(f, 'PAE', read, user)).toBe(-1);
  });
  it('may lie anywhere 32-byte aligned', () => {
    const f = new WalkFixture();
    f.write64(0x10e0 + 8, 0x2000n | P);
    f.write64(0x2000, 0x3000n | P | RW | US);
    f.write64(0x3000, 0x9000n | P | RW | US);
    f.enter('PAE', 0x10e0);
    expect(f.walker.walk(0x4000_0000, 0, read, user, true)).toBe(WALK.ok);
  });
});

describe.each(PAGED)('%s accessed and dirty bits', (mode) => {
  const last = SHAPES[mode].shifts.length - 1;
  const first = mode === 'PAE' ? 1 : 0;
  const flagsOf = (f: WalkFixture): bigint[] => Array.from({ length: last - first + 1 }, (_, i) => get(f, mode, entryAt(mode, first + i)) & (A | D));
  const tables = Array.from({ length: last - first }, () => A);

  it('a read sets accessed everywhere, dirty nowhere', () => {
    const f = mapped(mode, {});
    outcome(f, mode, read, user);
    expect(flagsOf(f)).toEqual([...tables, A]);
    expect(f.walker.dirty).toBe(false);
  });
  it('a write sets dirty in the leaf only', () => {
    const f = mapped(mode, {});
    outcome(f, mode, write, user);
    expect(flagsOf(f)).toEqual([...tables, A | D]);
    expect(f.walker.dirty).toBe(true);
  });
  it('a write after a read sets dirty', () => {
    const f = mapped(mode, {});
    outcome(f, mode, read, user);
    outcome(f, mode, modify, user);
    expect(flagsOf(f)).toEqual([...tables, A | D]);
  });
  it('a refused access sets none', () => {
    const f = mapped(mode, { leaf: P | US });
    outcome(f, mode, write, user);
    expect(flagsOf(f).every((flags) => flags === 0n)).toBe(true);
  });
  it('a walk that must not update sets none and still tells whether the page is dirty', () => {
    const f = mapped(mode, { leaf: P | RW | US | D });
    expect(f.walker.walk(SHAPES[mode].linear, 0, write, user, false)).toBe(WALK.ok);
    expect(f.walker.dirty).toBe(true);
    expect(flagsOf(f)).toEqual([...tables.map(() => 0n), D]);
  });
  it('the PAE directory pointers have none', () => {
    const f = mapped(mode, {});
    outcome(f, mode, write, user);
    if (mode === 'PAE') expect(get(f, mode, entryAt(mode, 0)) & (A | D)).toBe(0n);
  });
});

describe('the accessed/dirty update', () => {
  const MODE = '4-level';
  it('starts over when another processor has changed the entry, and obeys what it says now', () => {
    const f = mapped(MODE, {});
    const leafAt = entryAt(MODE, 3);
    f.intercept = (gpa, access) => {
      if (gpa === leafAt && access === STAGE2_ACCESS.writeEntry) f.write64(leafAt, 0xb000n | P | US);
      return undefined;
    };
    expect(outcome(f, MODE, write, user)).toBe(PF.P | PF.US | PF.WR);
    expect(f.read64(leafAt)).toBe(0xb000n | P | US);
  });
  it('never revives an entry that another processor has cleared', () => {
    const f = mapped(MODE, {});
    const leafAt = entryAt(MODE, 3);
    f.intercept = (gpa, access) => {
      if (gpa === leafAt && access === STAGE2_ACCESS.writeEntry) f.write64(leafAt, 0n);
      return undefined;
    };
    expect(outcome(f, MODE, read, user)).toBe(PF.US);
    expect(f.read64(leafAt)).toBe(0n);
  });
  it('ends when one entry serves several levels (a recursive map)', () => {
    const f = new WalkFixture();
    f.write64(0x1000, 0x1000n | P | RW | US);
    f.enter(MODE, 0x1000);
    expect(f.walker.walk(0, 0, write, user, true)).toBe(WALK.ok);
    expect(f.read64(0x1000)).toBe(0x1000n | P | RW | US | A | D);
  });
  it('is lost, not fatal, in read-only memory', () => {
    const f = mapped(MODE, {});
    f.intercept = (_gpa, access) => access === STAGE2_ACCESS.writeEntry ? 0 : undefined;
    expect(outcome(f, MODE, write, user)).toBe(-1);
  });
});

describe('the second level', () => {
  it('stops a walk when it refuses a table', () => {
    const f = mapped('4-level', {});
    f.intercept = (gpa) => gpa >= 0x3000 ? -1 : undefined;
    expect(f.walker.walk(SHAPES['4-level'].linear, 0, read, user, true)).toBe(WALK.stage2Fault);
  });
  it('where it has nothing, entries read as all ones', () => {
    const f = new WalkFixture();
    f.enter('4-level', 0x7000_0000);
    expect(f.walker.walk(0, 0, read, supervisor, true)).toBe(WALK.pageFault);
    expect(f.walker.errorCode).toBe(PF.P | PF.RSVD);
  });
});
