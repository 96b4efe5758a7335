import type { WalkFixture } from './walker.testing.ts';

/**
 * Page translation written a second time, slowly and straight from the text of SDM vol 3A chapter 4, to compare the real walker with.
 * BigInt throughout, one function per format, nothing shared with the walker.
 */
export interface ReferenceControls {
  readonly paging: 'none' | '32-bit' | 'PAE' | '4-level' | '5-level';
  readonly wp: boolean;
  readonly pse: boolean;
  readonly nxe: boolean;
  readonly smep: boolean;
  readonly smap: boolean;
  readonly pke: boolean;
  readonly pkru: bigint;
  readonly pks: boolean;
  readonly pkrs: bigint;
  readonly maxPhysicalBits: bigint;
  readonly gigabytePages: boolean;
}

export interface ReferenceAccess {
  readonly linear: bigint;
  readonly user: boolean;
  readonly ac: boolean;
  readonly kind: 'read' | 'write' | 'fetch';
}

export type ReferenceResult =
  | { readonly physical: bigint; readonly entries: readonly { readonly gpa: number; readonly leaf: boolean }[] }
  | { readonly error: number };

interface Mapping { base: bigint; bytes: bigint; user: boolean; writable: boolean; noExecute: boolean; key: bigint; entries: { gpa: number; leaf: boolean }[] }

const bits = (value: bigint, high: bigint, low: bigint): bigint => (value >> low) & ((1n << (high - low + 1n)) - 1n);
const bit = (value: bigint, at: bigint): boolean => bits(value, at, at) === 1n;

export function referenceTranslate(memory: WalkFixture, root: number, controls: ReferenceControls, access: ReferenceAccess): ReferenceResult {
  const fault = (present: boolean, reserved: boolean, key: boolean): ReferenceResult => ({
    error: (present ? 1 : 0) + (access.kind === 'write' ? 2 : 0) + (access.user ? 4 : 0) + (reserved ? 8 : 0)
      + (access.kind === 'fetch' && (controls.smep || (controls.nxe && controls.paging !== '32-bit')) ? 16 : 0) + (key ? 32 : 0),
  });
  if (controls.paging === 'none') return { physical: access.linear, entries: [] };
  const mapping = controls.paging === '32-bit' ? map32(memory, root, controls, access.linear) : map64(memory, root, controls, access.linear);
  if (mapping === 'not present') return fault(false, false, false);
  if (mapping === 'reserved') return fault(true, true, false);
  const { keyForbids, allowed } = judge(mapping, controls, access);
  if (!allowed || keyForbids) return fault(true, false, keyForbids);
  return { physical: mapping.base + access.linear % mapping.bytes, entries: mapping.entries };
}

/** SDM vol 3A §4.6.1 and §4.6.2, sentence by sentence. */
function judge(mapping: Mapping, c: ReferenceControls, access: ReferenceAccess): { allowed: boolean; keyForbids: boolean } {
  let keyForbids = false;
  if (c.pke && (c.paging === '4-level' || c.paging === '5-level') && mapping.user && access.kind !== 'fetch') {
    const accessDisable = bit(c.pkru, 2n * mapping.key);
    const writeDisable = bit(c.pkru, 2n * mapping.key + 1n);
    keyForbids = accessDisable || (writeDisable && access.kind === 'write' && (access.user || c.wp));
  }
  if (c.pks && (c.paging === '4-level' || c.paging === '5-level') && !mapping.user && !access.user && access.kind !== 'fetch') {
    keyForbids = bit(c.pkrs, 2n * mapping.key) || (bit(c.pkrs, 2n * mapping.key + 1n) && access.kind === 'write' && c.wp);
  }
  if (access.user) {
    if (!mapping.user) return { allowed: false, keyForbids };
    if (access.kind === 'read') return { allowed: true, keyForbids };
    if (access.kind === 'write') return { allowed: mapping.writable, keyForbids };
    return { allowed: !(c.nxe && mapping.noExecute), keyForbids };
  }
  if (access.kind === 'fetch') {
    if (mapping.user && c.smep) return { allowed: false, keyForbids };
    return { allowed: !(c.nxe && mapping.noExecute), keyForbids };
  }
  if (mapping.user && c.smap && !access.ac) return { allowed: false, keyForbids };
  if (access.kind === 'read') return { allowed: true, keyForbids };
  return { allowed: mapping.writable || !c.wp, keyForbids };
}

function map32(memory: WalkFixture, root: number, c: ReferenceControls, linear: bigint): Mapping | 'not present' | 'reserved' {
  const pdeAt = root + Number(bits(linear, 31n, 22n)) * 4;
  const pde = BigInt(memory.read32(pdeAt));
  if (!bit(pde, 0n)) return 'not present';
  if (c.pse && bit(pde, 7n)) {
    const top = c.maxPhysicalBits < 40n ? c.maxPhysicalBits : 40n;
    if (bits(pde, 21n, top - 19n) !== 0n) return 'reserved';
    return {
      base: (bits(pde, top - 20n, 13n) << 32n) | (bits(pde, 31n, 22n) << 22n), bytes: 1n << 22n,
      user: bit(pde, 2n), writable: bit(pde, 1n), noExecute: false, key: 0n, entries: [{ gpa: pdeAt, leaf: true }],
    };
  }
  const pteAt = Number(bits(pde, 31n, 12n) << 12n) + Number(bits(linear, 21n, 12n)) * 4;
  const pte = BigInt(memory.read32(pteAt));
  if (!bit(pte, 0n)) return 'not present';
  return {
    base: bits(pte, 31n, 12n) << 12n, bytes: 1n << 12n, user: bit(pde, 2n) && bit(pte, 2n), writable: bit(pde, 1n) && bit(pte, 1n),
    noExecute: false, key: 0n, entries: [{ gpa: pdeAt, leaf: false }, { gpa: pteAt, leaf: true }],
  };
}

function map64(memory: WalkFixture, root: number, c: ReferenceControls, linear: bigint): Mapping | 'not present' | 'reserved' {
  let table = BigInt(root);
  let depth = { PAE: 2, '4-level': 4, '5-level': 5 }[c.paging as 'PAE' | '4-level' | '5-level'];
  if (c.paging === 'PAE') {
    const pdpte = memory.read64(root + Number(bits(linear, 31n, 30n)) * 8);
    if (!bit(pdpte, 0n)) return 'not present';
    table = bits(pdpte, 51n, 12n) << 12n;
  }
  const mapping: Mapping = { base: 0n, bytes: 0n, user: true, writable: true, noExecute: false, key: 0n, entries: [] };
  for (; ; depth--) {
    const low = 12n + 9n * BigInt(depth - 1);
    const at = Number(table + bits(linear, low + 8n, low) * 8n);
    const entry = memory.read64(at);
    if (!bit(entry, 0n)) return 'not present';
    const large = bit(entry, 7n) && (depth === 2 || (depth === 3 && c.gigabytePages));
    if (bits(entry, 51n, c.maxPhysicalBits) !== 0n) return 'reserved';
    if (c.paging === 'PAE' && bits(entry, 62n, 52n) !== 0n) return 'reserved';
    if (bit(entry, 63n) && !c.nxe) return 'reserved';
    if (bit(entry, 7n) && depth > 2 && !large) return 'reserved';
    if (large && bits(entry, low - 1n, 13n) !== 0n) return 'reserved';
    mapping.user &&= bit(entry, 2n);
    mapping.writable &&= bit(entry, 1n);
    mapping.noExecute ||= bit(entry, 63n);
    mapping.entries.push({ gpa: at, leaf: depth === 1 || large });
    if (depth === 1 || large) {
      mapping.base = bits(entry, 51n, low) << low;
      mapping.bytes = 1n << low;
      mapping.key = bits(entry, 62n, 59n);
      return mapping;
    }
    table = bits(entry, 51n, 12n) << 12n;
  }
}
