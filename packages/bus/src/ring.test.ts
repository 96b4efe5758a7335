import { describe, expect, it } from 'vitest';
import { createRing, closeRing, RING, RingState } from './ring-layout.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';

function open(capacity = 64): { buffer: SharedArrayBuffer; producer: RingProducer; consumer: RingConsumer } {
  const buffer = createRing(capacity);
  return { buffer, producer: new RingProducer(buffer), consumer: new RingConsumer(buffer) };
}

function put(producer: RingProducer, id: number, payload: number[]): boolean {
  if (!producer.begin(id, payload.length)) return false;
  producer.bytes.set(payload, producer.at);
  return true;
}

function take(consumer: RingConsumer): [number, number[]] | undefined {
  return consumer.next() ? [consumer.id, [...consumer.bytes.subarray(consumer.at, consumer.at + consumer.length)]] : undefined;
}

describe('ring', () => {
  it('hides records until they are published, then gives them in order', () => {
    const { producer, consumer } = open(256);
    put(producer, 1, [1, 2, 3]);
    put(producer, 2, []);
    expect(take(consumer)).toBeUndefined();
    producer.publish();
    expect([take(consumer), take(consumer), take(consumer)]).toEqual([[1, [1, 2, 3]], [2, []], undefined]);
  });

  it('refuses a record until the consumer has released room', () => {
    const { producer, consumer } = open(64);
    const isTaken = Array.from({ length: 4 }, (_, i) => put(producer, i + 1, [1, 2, 3, 4, 5, 6, 7, 8]));
    expect(isTaken).toEqual([true, true, true, true]);
    expect(put(producer, 9, [9])).toBe(false);
    producer.publish();
    take(consumer);
    expect(put(producer, 9, [9])).toBe(false);
    consumer.release();
    expect(put(producer, 9, [9])).toBe(true);
  });

  it('keeps ten thousand records of every size intact across the end of the ring', () => {
    const { producer, consumer } = open(256);
    let sent = 0;
    let received = 0;
    while (received < 10_000) {
      while (sent < 10_000 && put(producer, 1 + sent % 9, Array.from({ length: sent % 41 }, (_, i) => (sent + i) & 0xff))) sent++;
      producer.publish();
      for (let record = take(consumer); record !== undefined; record = take(consumer)) {
        const expected = Array.from({ length: received % 41 }, (_, i) => (received + i) & 0xff);
        expect(record).toEqual([1 + received % 9, expected]);
        received++;
      }
      consumer.release();
    }
  });

  it('goes on when the positions pass 2^32', () => {
    const buffer = createRing(64);
    const words = new Int32Array(buffer);
    words[RING.head] = words[RING.tail] = -16;
    const producer = new RingProducer(buffer);
    const consumer = new RingConsumer(buffer);
    for (let i = 1; i < 20; i++) {
      expect(put(producer, i, [i])).toBe(true);
      producer.publish();
      expect(take(consumer)).toEqual([i, [i]]);
      consumer.release();
    }
  });

  it.each([
    ['a foreign buffer', (words: Int32Array) => { words[RING.magic] = 1; }],
    ['another version', (words: Int32Array) => { words[RING.version] = 99; }],
    ['a capacity that is not the buffer\'s', (words: Int32Array) => { words[RING.capacity] = 128; }],
  ])('refuses to attach to %s', (_, spoil) => {
    const buffer = createRing(64);
    spoil(new Int32Array(buffer));
    expect(() => new RingConsumer(buffer)).toThrow(expect.objectContaining({ code: 'RING_CORRUPT' }));
  });

  it.each([
    ['a head beyond the ring', (words: Int32Array) => { words[RING.head] = 4096; }],
    ['a record without its mark', (words: Int32Array) => { words[RING.dataBytes >> 2] = 1; }],
    ['a record longer than what was published', (words: Int32Array) => { words[(RING.dataBytes >> 2) + 1] = 48; }],
    ['a negative length', (words: Int32Array) => { words[(RING.dataBytes >> 2) + 1] = -1; }],
  ])('detects %s', (_, spoil) => {
    const { buffer, producer, consumer } = open(64);
    put(producer, 1, [1]);
    producer.publish();
    spoil(new Int32Array(buffer));
    expect(() => consumer.next()).toThrow(expect.objectContaining({ code: 'RING_CORRUPT' }));
  });

  it('wakes both ends when it is closed, and says so', async () => {
    const { buffer, producer, consumer } = open(64);
    const sleeping = consumer.waitAsync(10_000);
    closeRing(buffer, RingState.lost);
    await sleeping;
    expect([producer.isOpen, consumer.state]).toEqual([false, RingState.lost]);
  });

  it('never sleeps past a record that was published before the sleep', async () => {
    const { producer, consumer } = open(64);
    put(producer, 1, []);
    producer.publish();
    await consumer.waitAsync(10_000);
    expect(consumer.next()).toBe(true);
  });
});
