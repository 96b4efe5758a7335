import { describe, expect, it } from 'vitest';
import { decode, encode, message, plane } from './message.ts';
import { IrqMessages } from './planes/irq.ts';
import { createRing } from './ring-layout.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';

function pair(): { producer: RingProducer; consumer: RingConsumer } {
  const buffer = createRing(256);
  return { producer: new RingProducer(buffer), consumer: new RingConsumer(buffer) };
}

describe('messages', () => {
  it('come out as they went in', () => {
    const { producer, consumer } = pair();
    const values = { address: 0xfee0_0000_1234n, data: 0xffff_ffff, requesterId: 8 };
    encode(IrqMessages.msi, values, producer);
    producer.publish();
    consumer.next();
    expect(decode(IrqMessages.msi, consumer)).toEqual(values);
  });

  it('align 64-bit fields and put bytes last', () => {
    const type = message(7, { a: 'u32', b: 'u64', c: 'f64', rest: 'bytes' });
    expect([type.offsets, type.sizeBytes]).toEqual([{ a: 0, b: 8, c: 16, rest: 24 }, 24]);
    const { producer, consumer } = pair();
    encode(type, { a: 1, b: 2n, c: 0.5, rest: Uint8Array.of(1, 2, 3) }, producer);
    producer.publish();
    consumer.next();
    expect(decode(type, consumer)).toEqual({ a: 1, b: 2n, c: 0.5, rest: Uint8Array.of(1, 2, 3) });
  });

  it('do not compile with a missing field', () => {
    const { producer } = pair();
    // @ts-expect-error level is missing
    expect(() => encode(IrqMessages.setLine, { gsi: 4 }, producer)).not.toThrow();
  });

  it('are refused when the record is another one', () => {
    const { producer, consumer } = pair();
    encode(IrqMessages.setLine, { gsi: 4, level: 1 }, producer);
    producer.publish();
    consumer.next();
    expect(() => decode(IrqMessages.msi, consumer)).toThrow(expect.objectContaining({ code: 'RING_CORRUPT' }));
  });

  it('of one plane have ids of their own', () => {
    expect(() => plane('twice', { a: message(1, {}), b: message(1, {}) })).toThrow('ids of plane twice are unique');
  });
});
