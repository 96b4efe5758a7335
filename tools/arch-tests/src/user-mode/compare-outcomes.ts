/** Differences between the outcomes of one case on both sides, in words. */
import { GPR_NAMES } from '../case-layout.ts';
import type { Batch } from './batch.ts';
import { CASE, CODE_AT, CODE_BYTES, DATA_AT, PRISTINE_BYTES, WRITABLE_BYTES } from './batch-layout.ts';

/** RF depends on how the handler was reached; NT and AC are never set. */
const FLAGS = 0x3f_ffff & ~0x1_0000;
const SEGMENT_NAMES = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
const UNWRITABLE = [[BigInt(DATA_AT + WRITABLE_BYTES), BigInt(DATA_AT + PRISTINE_BYTES)], [BigInt(CODE_AT), BigInt(CODE_AT + CODE_BYTES)]] as const;
const PF = 14;
/** Vectors with an error code that the host's kernel reports. */
const WITH_ERROR = new Set([10, 11, 12, 13, PF]);

/** Whether a page that cannot be written was present means little: the host's kernel brings code in when it is read, and takes pages away. */
function unsureErrorBits(native: Batch, index: number): number {
  if (native.u32(index, 'vector') !== PF) return 0;
  const address = native.u64(index, 'address');
  return UNWRITABLE.some(([from, to]) => address >= from && address < to) ? 1 : 0;
}

/** True if all but flags, memory and fault agrees. */
export function sameRegisters(a: Batch, b: Batch, index: number): boolean {
  const at = a.at(index);
  return Buffer.compare(a.bytes.subarray(at, at + CASE.flags), b.bytes.subarray(at, at + CASE.flags)) === 0;
}

/** True if nothing that matters differs: the quick way. */
export function sameOutcome(a: Batch, b: Batch, index: number, undefinedFlags: number): boolean {
  const at = a.at(index);
  if (!sameRegisters(a, b, index)) return false;
  if (((a.u32(index, 'flags') ^ b.u32(index, 'flags')) & FLAGS & ~undefinedFlags) !== 0) return false;
  const vector = a.u32(index, 'vector');
  if (vector !== b.u32(index, 'vector') || a.u32(index, 'hash') !== b.u32(index, 'hash')) return false;
  if (WITH_ERROR.has(vector) && ((a.u32(index, 'error') ^ b.u32(index, 'error')) & ~unsureErrorBits(a, index)) !== 0) return false;
  if (vector === PF && a.u64(index, 'address') !== b.u64(index, 'address')) return false;
  return Buffer.compare(a.bytes.subarray(at + CASE.segments, at + CASE.sizeBytes), b.bytes.subarray(at + CASE.segments, at + CASE.sizeBytes)) === 0;
}

export function describeDifferences(native: Batch, ours: Batch, index: number, undefinedFlags: number): string[] {
  const found: string[] = [];
  const note = (what: string, a: bigint | number, b: bigint | number): void => { if (a !== b) found.push(`${what}: native ${a.toString(16)}, ours ${b.toString(16)}`); };
  const vector = native.u32(index, 'vector');
  note('vector', vector, ours.u32(index, 'vector'));
  if (WITH_ERROR.has(vector)) note('error', native.u32(index, 'error'), ours.u32(index, 'error'));
  if (vector === PF) note('address', native.u64(index, 'address'), ours.u64(index, 'address'));
  note('rip', native.u64(index, 'rip'), ours.u64(index, 'rip'));
  GPR_NAMES.forEach((name, i) => { note(name, native.gpr(index, i), ours.gpr(index, i)); });
  const mask = FLAGS & ~undefinedFlags;
  note('flags', native.u32(index, 'flags') & mask, ours.u32(index, 'flags') & mask);
  SEGMENT_NAMES.forEach((name, i) => { note(name, native.segment(index, i), ours.segment(index, i)); });
  note('hash of the pages', native.u32(index, 'hash'), ours.u32(index, 'hash'));
  const a = native.window(index), b = ours.window(index), first = a.findIndex((byte, i) => byte !== b[i]);
  if (first >= 0) {
    const from = first & ~15, hex = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(from, from + 16)).toString('hex');
    found.push(`window+${from}: native ${hex(a)}, ours ${hex(b)}`);
  }
  return found;
}
