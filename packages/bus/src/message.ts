import { invariant } from '@vmm/spec';
import { ringCorrupt } from './ring-layout.ts';
import type { RingConsumer } from './ring-consumer.ts';
import type { RingProducer } from './ring-producer.ts';

/** `bytes` is what remains of the record: at most one, and last. */
export type FieldType = 'u32' | 'u64' | 'f64' | 'bytes';
export type Fields = Readonly<Record<string, FieldType>>;

interface ValueOf { readonly u32: number; readonly u64: bigint; readonly f64: number; readonly bytes: Uint8Array }
export type MessageValues<F extends Fields> = { readonly [Name in keyof F]: ValueOf[F[Name]] };

/** One message of a plane: its wire id, its fields and where each lies in the payload. */
export interface Message<F extends Fields = Fields> {
  readonly id: number;
  readonly fields: F;
  /** Byte offset of each field; hot code writes there directly (`producer.words[(producer.at + offset) >> 2]`). */
  readonly offsets: { readonly [Name in keyof F]: number };
  /** Size of the fixed fields. */
  readonly sizeBytes: number;
}

const SIZE = { u32: 4, u64: 8, f64: 8, bytes: 0 } as const;

/** Declares a message. Ids are wire ABI: never reuse one. */
export function message<const F extends Fields>(id: number, fields: F): Message<F> {
  invariant(Number.isInteger(id) && id > 0 && id < 0x1_0000, 'a message id is between 1 and 65535');
  const offsets: Record<string, number> = {};
  let at = 0;
  let hasTail = false;
  for (const [name, type] of Object.entries(fields)) {
    invariant(!hasTail, 'bytes is the last field of a message');
    hasTail = type === 'bytes';
    const align = SIZE[type] || 1;
    at = Math.ceil(at / align) * align;
    offsets[name] = at;
    at += SIZE[type];
  }
  return { id, fields, offsets: offsets as Message<F>['offsets'], sizeBytes: at };
}

/** A plane: every message that one kind of ring may carry. Two messages with one id are a bug. */
export function plane<const M extends Readonly<Record<string, Message>>>(name: string, messages: M): M {
  const ids = Object.values(messages).map((each) => each.id);
  invariant(new Set(ids).size === ids.length, `ids of plane ${name} are unique`);
  return messages;
}

/** Writes a record; false when the ring is full. `publish()` makes it visible. */
export function encode<F extends Fields>(type: Message<F>, values: MessageValues<F>, ring: RingProducer): boolean {
  const tail = Object.entries(type.fields).find(([, kind]) => kind === 'bytes')?.[0];
  const bytes = tail === undefined ? undefined : values[tail] as Uint8Array;
  if (!ring.begin(type.id, type.sizeBytes + (bytes?.length ?? 0))) return false;
  for (const [name, kind] of Object.entries(type.fields)) {
    const at = ring.at + (type.offsets[name] ?? 0);
    const value = values[name];
    if (kind === 'u32') ring.data.setUint32(at, value as number, true);
    else if (kind === 'u64') ring.data.setBigUint64(at, value as bigint, true);
    else if (kind === 'f64') ring.data.setFloat64(at, value as number, true);
    else ring.bytes.set(value as Uint8Array, at);
  }
  return true;
}

/** Reads the record that the consumer stands on. `bytes` fields are copied out of the ring. */
export function decode<F extends Fields>(type: Message<F>, ring: RingConsumer): MessageValues<F> {
  if (ring.id !== type.id || ring.length < type.sizeBytes) throw ringCorrupt(`message ${type.id} expected, ${ring.id} of ${ring.length} bytes found`);
  const values: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(type.fields)) {
    const offset = type.offsets[name] ?? 0;
    const at = ring.at + offset;
    if (kind === 'u32') values[name] = ring.data.getUint32(at, true);
    else if (kind === 'u64') values[name] = ring.data.getBigUint64(at, true);
    else if (kind === 'f64') values[name] = ring.data.getFloat64(at, true);
    else values[name] = ring.bytes.slice(at, ring.at + ring.length);
  }
  return values as MessageValues<F>;
}

/** A record that no message of the plane explains: the plane's ABI is broken, never shrug it off. */
export function unknownMessage(planeName: string, ring: RingConsumer): never {
  throw ringCorrupt(`plane ${planeName} has no message ${ring.id}`);
}
