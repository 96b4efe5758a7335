import { decode, formatInstruction, Instruction } from '@vmm/decoder';
import type { StateView } from '@vmm/state';
import type { BlockCache } from './block-cache.ts';
import { codeSizeOf } from './mode.ts';

/** Disassembles what was executed last: the running block up to the current record. */
export class RecentInstructions {
  readonly #state: StateView;
  constructor(state: StateView) { this.#state = state; }

  list(blocks: BlockCache): string[] {
    const block = blocks.blockOf(this.#state.get('currentRecord'));
    if (block === undefined) return [];
    const inst = new Instruction();
    const lines: string[] = [];
    const start = this.#state.big('blockRip');
    for (let offset = 0; offset < block.bytes;) {
      const length = decode(this.#state.u8, block.host + offset, block.host + block.bytes, codeSizeOf(block.modeKey), inst);
      if (length <= 0) break;
      lines.push(`${(start + BigInt(offset)).toString(16)}: ${formatInstruction(inst, { syntax: 'intel', address: start + BigInt(offset) })}`);
      offset += length;
    }
    return lines;
  }
}
