/** Files of SingleStepTests in the MOO format: chunks of a four-letter tag and a length, cases within cases. */

/** Registers in the order of the format's bit mask. */
export const REGISTERS = ['ax', 'bx', 'cx', 'dx', 'cs', 'ss', 'ds', 'es', 'sp', 'bp', 'si', 'di', 'ip', 'flags'] as const;
export type RegisterName = (typeof REGISTERS)[number];

export interface MachineState {
  readonly registers: Readonly<Partial<Record<RegisterName, number>>>;
  /** Address and byte. */
  readonly memory: readonly (readonly [number, number])[];
}

export interface SingleStepCase {
  readonly name: string;
  readonly code: Uint8Array;
  readonly before: MachineState;
  /** What has changed. */
  readonly after: MachineState;
  readonly exception: { readonly vector: number; readonly flagsAt: number } | undefined;
  /** SHA-1 of the case, by which revocations name it. */
  readonly hash: string;
}

interface Chunk { readonly tag: string; readonly at: number; readonly end: number }

function* chunks(data: DataView, from: number, to: number): Generator<Chunk> {
  for (let at = from; at + 8 <= to;) {
    const tag = String.fromCharCode(...[0, 1, 2, 3].map((i) => data.getUint8(at + i))), end = at + 8 + data.getUint32(at + 4, true);
    yield { tag, at: at + 8, end };
    at = end;
  }
}

const bytesOf = (data: DataView, at: number, count: number): Uint8Array => new Uint8Array(data.buffer, data.byteOffset + at, count);

function readState(data: DataView, from: number, to: number): MachineState {
  const registers: Partial<Record<RegisterName, number>> = {}, memory: [number, number][] = [];
  for (const { tag, at } of chunks(data, from, to)) {
    if (tag === 'REGS') {
      let value = at + 2;
      REGISTERS.forEach((name, i) => {
        if ((data.getUint16(at, true) >> i & 1) === 0) return;
        registers[name] = data.getUint16(value, true);
        value += 2;
      });
    } else if (tag === 'RAM ') {
      const count = data.getUint32(at, true);
      for (let i = 0; i < count; i++) memory.push([data.getUint32(at + 4 + 5 * i, true), data.getUint8(at + 8 + 5 * i)]);
    }
  }
  return { registers, memory };
}

export function* readMoo(file: Uint8Array): Generator<SingleStepCase> {
  const data = new DataView(file.buffer, file.byteOffset, file.byteLength), empty: MachineState = { registers: {}, memory: [] };
  for (const outer of chunks(data, 0, data.byteLength)) {
    if (outer.tag !== 'TEST') continue;
    let name = '', code = new Uint8Array(0), before = empty, after = empty, hash = '', exception: SingleStepCase['exception'];
    for (const { tag, at, end } of chunks(data, outer.at + 4, outer.end)) {
      if (tag === 'NAME') name = new TextDecoder().decode(bytesOf(data, at + 4, data.getUint32(at, true)));
      else if (tag === 'BYTS') code = Uint8Array.from(bytesOf(data, at + 4, data.getUint32(at, true)));
      else if (tag === 'INIT') before = readState(data, at, end);
      else if (tag === 'FINA') after = readState(data, at, end);
      else if (tag === 'EXCP') exception = { vector: data.getUint8(at), flagsAt: data.getUint32(at + 1, true) };
      else if (tag === 'HASH') hash = Buffer.from(bytesOf(data, at, end - at)).toString('hex');
    }
    yield { name, code, before, after, exception, hash };
  }
}
