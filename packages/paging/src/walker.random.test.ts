import { CR0, CR4, EFER } from '@vmm/spec';
import { describe, expect, it } from 'vitest';
import { ACCESS } from './mmu.ts';
import { referenceTranslate } from './reference-walker.testing.ts';
import type { ReferenceAccess, ReferenceControls, ReferenceResult } from './reference-walker.testing.ts';
import { ASKER } from './rights.ts';
import { WALK } from './walker.ts';
import { HOST_BASE, WalkFixture } from './walker.testing.ts';

/** Random entries in a pool of tables that point at each other, random control registers: the walker against the reference. */
const ROUNDS = 150;
const ACCESSES = 250;
const TABLES = 24;
const ROOT = 0x1_0000;

/** xorshift32: a failure is reproduced by its seed. */
function random(seed: number): (below: number) => number {
  let x = seed | 0;
  return (below) => {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function randomEntry(next: (below: number) => number): bigint {
  let entry = BigInt(ROOT + next(TABLES) * 0x1000) | BigInt(next(16) === 0 ? next(256) : 7);
  if (next(4) !== 0) entry |= 1n;
  if (next(4) === 0) entry &= ~(1n << BigInt(next(3)));
  if (next(3) === 0) entry |= 0x80n;
  if (next(3) === 0) entry |= BigInt(next(4)) << 5n;
  if (next(6) === 0) entry |= 1n << 63n;
  if (next(24) === 0) entry |= 1n << BigInt(32 + next(31));
  if (next(4) === 0) entry |= BigInt(next(16)) << 59n;
  if (next(3) === 0) entry &= ~0x3fe000n;
  return entry;
}

function fillTables(f: WalkFixture, controls: ReferenceControls, next: (below: number) => number): void {
  for (let at = ROOT; at < ROOT + TABLES * 0x1000; at += 8) {
    if (controls.paging === '32-bit') {
      f.write32(at, Number(randomEntry(next) & 0xffff_ffffn));
      f.write32(at + 4, Number(randomEntry(next) & 0xffff_ffffn));
    } else f.write64(at, randomEntry(next) & (controls.paging === 'PAE' && next(8) !== 0 ? ~(0x7ffn << 52n) : -1n));
  }
  // PAE pointers that load.
  if (controls.paging === 'PAE') for (let i = 0; i < 4; i++) f.write64(ROOT + i * 8, BigInt(ROOT + (1 + next(TABLES - 1)) * 0x1000) | BigInt(next(8) !== 0 ? 1 : 0));
}

function randomControls(next: (below: number) => number): ReferenceControls {
  const flag = (): boolean => next(2) === 1;
  return {
    paging: (['32-bit', 'PAE', '4-level', '5-level'] as const)[next(4)]!,
    wp: flag(), pse: flag(), nxe: next(4) !== 0, smep: flag(), smap: flag(), pke: flag(),
    pkru: BigInt(next(2) === 0 ? 0 : next(0xffff_ffff)), pks: flag(), pkrs: BigInt(next(2) === 0 ? 0 : next(0xffff_ffff)), maxPhysicalBits: BigInt([36, 40, 46, 52][next(4)]!), gigabytePages: flag(),
  };
}

function configure(f: WalkFixture, c: ReferenceControls): void {
  const long = c.paging === '4-level' || c.paging === '5-level';
  f.walker.configure(
    CR0.PG | (c.wp ? CR0.WP : 0),
    (c.pse ? CR4.PSE : 0) | (c.paging === '32-bit' ? 0 : CR4.PAE) | (c.smep ? CR4.SMEP : 0) | (c.smap ? CR4.SMAP : 0)
    | (c.pke ? CR4.PKE : 0) | (c.pks ? CR4.PKS : 0) | (c.paging === '5-level' ? CR4.LA57 : 0),
    (c.nxe ? EFER.NXE : 0) | (long ? EFER.LMA | EFER.LME : 0),
  );
  f.walker.pkru = Number(c.pkru);
  f.walker.pkrs = Number(c.pkrs);
  f.walker.setRoot(ROOT, 0);
}

function randomLinear(paging: ReferenceControls['paging'], next: (below: number) => number): bigint {
  const low = BigInt(next(0xffff_ffff));
  if (paging === '32-bit' || paging === 'PAE') return low;
  const width = paging === '4-level' ? 48n : 57n;
  return BigInt.asUintN(64, BigInt.asIntN(Number(width), (BigInt(next(0xffff_ffff)) << 32n) | low));
}

const isInPool = (gpa: bigint): boolean => gpa >= BigInt(ROOT) && gpa < BigInt(ROOT + TABLES * 0x1000);

describe('PageWalker against the reference', () => {
  const tally = new Map<string, number>();
  it.each(Array.from({ length: ROUNDS }, (_, i) => i + 1))('agrees on random tables and accesses (seed %i)', (seed) => {
    const next = random(seed * 0x9e37_79b1);
    const c = randomControls(next);
    const f = new WalkFixture({ physicalAddressBits: Number(c.maxPhysicalBits), gigabytePages: c.gigabytePages });
    // Entries outside the pool read as zeros in the reference; keep both inside guest memory.
    f.intercept = (gpa) => isInPool(BigInt(gpa)) ? undefined : -1;
    fillTables(f, c, next);
    configure(f, c);
    const model = pool(f);
    for (let i = 0; i < ACCESSES; i++) {
      const linear = randomLinear(c.paging, next);
      const who = next(3);
      const kind = (['read', 'write', 'fetch'] as const)[next(3)]!;
      const expected = referenceOrOutside(f, c, { linear, user: who === ASKER.user, ac: who === ASKER.supervisorAc, kind });
      const result = f.walker.walk(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, ACCESS[kind === 'fetch' ? 'execute' : kind], who, true);
      if (result === WALK.stage2Fault) continue; // led out of the pool
      const { physLo, physHi, errorCode } = f.walker;
      tally.set(result === WALK.ok ? 'ok' : String(errorCode), (tally.get(result === WALK.ok ? 'ok' : String(errorCode)) ?? 0) + 1);
      const actual = result === WALK.ok
        ? { physical: (BigInt(physHi) << 32n) | BigInt(physLo >>> 0) | (linear & 0xfffn) }
        : { error: errorCode };
      const context = `${JSON.stringify({ ...c, pkru: String(c.pkru), pkrs: String(c.pkrs), maxPhysicalBits: String(c.maxPhysicalBits) })} ${kind} by ${who} at 0x${linear.toString(16)}`;
      expect(actual, context).toEqual('physical' in expected ? { physical: expected.physical } : expected);
      if ('entries' in expected) for (const { gpa, leaf } of expected.entries) model[gpa - ROOT]! |= 0x20 | (leaf && kind === 'write' ? 0x40 : 0);
    }
    const now = pool(f);
    expect(model.findIndex((byte, at) => byte !== now[at]), 'first byte where other bits changed than the accessed and dirty bits of allowed accesses').toBe(-1);
  });

  it('has met allowed accesses and every error-code bit', () => {
    let seen = 0;
    for (const code of tally.keys()) if (code !== 'ok') seen |= Number(code);
    expect(seen).toBe(0x3f);
    expect(tally.get('ok')).toBeGreaterThan(200);
  });
});

function pool(f: WalkFixture): Uint8Array {
  return new Uint8Array(f.buffer).slice(HOST_BASE + ROOT, HOST_BASE + ROOT + TABLES * 0x1000);
}

/** The reference reads guest memory blindly; an entry that leads out of it says nothing. */
function referenceOrOutside(f: WalkFixture, c: ReferenceControls, access: ReferenceAccess): ReferenceResult | { readonly error: 'outside' } {
  try {
    return referenceTranslate(f, ROOT, c, access);
  } catch (error) {
    if (error instanceof RangeError) return { error: 'outside' };
    throw error;
  }
}
