import { branchTarget, decode, formatInstruction, Instruction } from '@vmm/decoder';
import { classOf } from '@vmm/translator';
import type { InstructionClass } from '@vmm/translator';

export interface ListedInstruction {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly kind: InstructionClass;
}

/** A basic block: entered at its first instruction only, left at its last only. */
export interface ListedBlock {
  readonly address: bigint;
  readonly instructions: readonly ListedInstruction[];
  /** Where it goes on inside the listing. */
  readonly successors: readonly bigint[];
}

const STOPS = /^(?:ret|jmp|hlt|iret|ud|sysret|sysexit)/;

/** Blocks of the code that can be reached from `entry` by direct branches within `bytes`, which lie at `address`. */
export function listBlocks(bytes: Uint8Array, address: bigint, bits: 16 | 32 | 64, entry = address): ListedBlock[] {
  const found = new Map<bigint, { readonly listed: ListedInstruction; readonly next: readonly bigint[]; readonly ends: boolean }>();
  const leaders = new Set<bigint>([entry]), work = [entry];
  const inst = new Instruction();
  for (let start = work.pop(); start !== undefined; start = work.pop()) {
    let at: bigint = start;
    while (!found.has(at)) {
      const offset = Number(at - address);
      const length = offset < 0 || offset >= bytes.length ? 0 : decode(bytes, offset, bytes.length, bits, inst);
      if (length <= 0) break;
      const after = at + BigInt(length), { mnemonic } = inst.row;
      const target = branchTarget(inst, at);
      const isCall = mnemonic === 'call', stops = STOPS.test(mnemonic);
      const next = [...(target === undefined || isCall ? [] : [target]), ...(stops ? [] : [after])];
      const ends = stops || target !== undefined && !isCall;
      found.set(at, { listed: { address: at, bytes: bytes.slice(offset, offset + length), text: formatInstruction(inst, { syntax: 'intel', address: at }), kind: classOf(inst) }, next, ends });
      if (ends) {
        for (const leader of next) if (!leaders.has(leader)) { leaders.add(leader); work.push(leader); }
        break;
      }
      at = after;
    }
  }
  return [...leaders].filter((leader) => found.has(leader)).sort((a, b) => Number(a - b)).map((leader) => {
    const instructions: ListedInstruction[] = [];
    for (let at = leader; ;) {
      const one = found.get(at);
      if (one === undefined) return { address: leader, instructions, successors: [] };
      instructions.push(one.listed);
      const after = at + BigInt(one.listed.bytes.length);
      if (one.ends || leaders.has(after)) return { address: leader, instructions, successors: (one.ends ? one.next : [after]).filter((next) => found.has(next)) };
      at = after;
    }
  });
}
