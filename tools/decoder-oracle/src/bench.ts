import { decode, Instruction } from '@vmm/decoder';
import { Decoder, DecoderOptions, Instruction as IcedInstruction } from 'iced-x86';

export interface BenchResult {
  readonly instructions: number;
  /** Millions of instructions a second, best round. */
  readonly own: number;
  /** iced-x86's fastest loop over one reused instruction (`decodeOut`). */
  readonly iced: number;
}

const inst = new Instruction();
let sink = 0;

/** Only the instructions of `bytes` that both decoders accept, end to end: so that both decode the same stream. */
export function commonInstructions(bytes: Uint8Array, mode: 16 | 32 | 64): Uint8Array {
  const decoder = new Decoder(mode, bytes, DecoderOptions.None);
  const out = new IcedInstruction();
  const kept = new Uint8Array(bytes.length);
  let size = 0;
  for (let at = 0; decoder.canDecode; at = decoder.position) {
    decoder.decodeOut(out);
    if (out.isInvalid || decode(bytes, at, bytes.length, mode, inst) !== out.length) continue;
    kept.set(bytes.subarray(at, at + out.length), size);
    size += out.length;
  }
  out.free();
  decoder.free();
  return kept.subarray(0, size);
}

/** Decodes `bytes` (see `commonInstructions`) from end to end with both decoders in turn, `rounds` times. */
export function benchDecoders(bytes: Uint8Array, mode: 16 | 32 | 64, rounds: number): BenchResult {
  let own = Infinity;
  let iced = Infinity;
  let instructions = 0;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    instructions = runOwn(bytes, mode);
    own = Math.min(own, performance.now() - start);
    const middle = performance.now();
    const others = runIced(bytes, mode);
    iced = Math.min(iced, performance.now() - middle);
    if (Math.abs(others - instructions) > 0) throw new Error(`the decoders see different streams: ${instructions} and ${others} instructions`);
  }
  return { instructions, own: instructions / own / 1000, iced: instructions / iced / 1000 };
}

function runOwn(bytes: Uint8Array, mode: 16 | 32 | 64): number {
  let n = 0;
  for (let at = 0; at < bytes.length; n++) {
    const length = decode(bytes, at, bytes.length, mode, inst);
    if (length > 0) sink = (sink + inst.row.index) | 0;
    at += length > 0 ? length : 1;
  }
  return n;
}

function runIced(bytes: Uint8Array, mode: 16 | 32 | 64): number {
  const decoder = new Decoder(mode, bytes, DecoderOptions.None);
  const out = new IcedInstruction();
  let n = 0;
  for (; decoder.canDecode; n++) {
    decoder.decodeOut(out);
    sink = (sink + out.code) | 0;
  }
  out.free();
  decoder.free();
  return n;
}
