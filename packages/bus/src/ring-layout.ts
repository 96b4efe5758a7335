import { VmmError } from '@vmm/spec';

/**
 * A ring is one SharedArrayBuffer: a header of 64 words, then `capacity` bytes of records (a power of two).
 * One producer, one consumer, one plane. Positions count bytes modulo 2^32 and grow for ever; producer and consumer words lie in
 * different cache lines. A record is two words (id | RECORD_MARK, payload length in bytes) and its payload, padded to 8 bytes; it never
 * wraps: what is left at the end is a padding record (id 0).
 */
export const RING = {
  magic: 0, version: 1, capacity: 2,
  /** Word of `RingState`: who closed the ring, if anybody. */
  state: 3,
  head: 16, dataBell: 17,
  tail: 32, spaceBell: 33,
  dataBytes: 256,
  recordHeaderBytes: 8,
} as const;

export const RING_MAGIC = 0x474e_5256; // 'VRNG'
export const RING_VERSION = 1;
export const RECORD_MARK = 0x5a5a_0000;
export const PADDING_ID = 0;

export const RingState = { open: 0, closed: 1, lost: 2 } as const;
export type RingState = (typeof RingState)[keyof typeof RingState];

/** Makes an empty ring. `capacityBytes` is rounded up to a power of two, at least 64. */
export function createRing(capacityBytes: number): SharedArrayBuffer {
  const capacity = Math.max(64, 2 ** Math.ceil(Math.log2(capacityBytes)));
  const buffer = new SharedArrayBuffer(RING.dataBytes + capacity);
  const words = new Int32Array(buffer);
  words[RING.magic] = RING_MAGIC;
  words[RING.version] = RING_VERSION;
  words[RING.capacity] = capacity;
  return buffer;
}

/** Checks a header that came from another thread; answers the capacity in bytes. */
export function attachRing(words: Int32Array<SharedArrayBuffer>): number {
  const capacity = words[RING.capacity] ?? 0;
  const isSound = words[RING.magic] === RING_MAGIC && capacity >= 64 && (capacity & (capacity - 1)) === 0
    && words.byteLength === RING.dataBytes + capacity;
  if (!isSound) throw ringCorrupt('its header is not that of a ring');
  if (words[RING.version] !== RING_VERSION) throw ringCorrupt(`its version is ${String(words[RING.version])}, not ${RING_VERSION}`);
  return capacity;
}

/** Tells both ends that the ring will carry nothing more, and wakes them. */
export function closeRing(buffer: SharedArrayBuffer, state: RingState = RingState.closed): void {
  const words = new Int32Array(buffer, 0, RING.dataBytes >> 2);
  Atomics.compareExchange(words, RING.state, RingState.open, state);
  for (const bell of [RING.dataBell, RING.spaceBell]) {
    Atomics.or(words, bell, 1);
    Atomics.notify(words, bell);
  }
}

export function ringCorrupt(why: string): VmmError {
  return new VmmError('RING_CORRUPT', `Cannot trust a ring: ${why}`, { hint: 'One of the machine\'s workers wrote outside its memory: stop the machine and report this.' });
}
