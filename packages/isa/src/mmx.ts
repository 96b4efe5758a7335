/** MMX instructions without an XMM namesake; the others are entries of `SSE` that look at the operand's kind. */
import * as w from '@vmm/wasm';
import type { InstructionTable } from './entry.ts';
import { checkMmx, enterMmx } from './sse-access.ts';

export const MMX: InstructionTable = {
  emms: { run: (m) => { checkMmx(m); enterMmx(m); m.setState32('fpuTags', w.i32(0xff)); } },
};
