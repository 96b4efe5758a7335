/** AVX2 gathers: element by element, each one's mask cleared once it is done, so that a fault in between can be resumed. SDM vol 2, VPGATHERDD */
import * as w from '@vmm/wasm';
import { vex } from './avx-access.ts';
import type { InstructionEntry } from './entry.ts';
import { UD } from './sse-access.ts';
import * as v from './sse-wasm.ts';

/** Operands: destination, VSIB memory, mask. Sizes of index and element in bytes; VEX.L doubles whichever is the wider. */
function gather(indexBytes: 4 | 8, bytes: 4 | 8): InstructionEntry {
  return { uses: ['length'], run: (m) => {
    vex(() => undefined).run(m);
    const to = m.vectorAddress(0), mask = m.vectorAddress(2), index = m.indexVectorAddress(), count = (m.form.wide === true ? 32 : 16) / Math.max(indexBytes, bytes);
    m.faultIf(w.or(w.or(w.eq(to, mask), w.eq(to, index)), w.eq(mask, index)), UD);
    for (let i = 0; i < count; i++) {
      const selected = w.ltS(w.load('i32', 32, mask, i * bytes + bytes - 4), w.i32(0));
      m.when(selected, () => {
        const element = m.elementAddress(m.let(w.load('i64', indexBytes === 4 ? 32 : 64, index, i * indexBytes, indexBytes === 4)), bytes), host = m.hostRead(element, bytes);
        m.fn.store(bytes === 4 ? 32 : 64, to, i * bytes, w.load(bytes === 4 ? 'i32' : 'i64', bytes === 4 ? 32 : 64, host));
      });
      m.fn.store(bytes === 4 ? 32 : 64, mask, i * bytes, bytes === 4 ? w.i32(0) : w.i64(0));
    }
    // above the elements both registers are cleared
    for (const register of [to, mask]) {
      if (count * bytes === 8) m.fn.store(64, register, 8, w.i64(0));
      if (count * bytes <= 16) m.fn.store(128, register, 16, v.zero());
    }
  } };
}

export const AVX_GATHERS: Readonly<Record<string, InstructionEntry>> = {
  vpgatherdd: gather(4, 4), vgatherdps: gather(4, 4), vpgatherdq: gather(4, 8), vgatherdpd: gather(4, 8),
  vpgatherqd: gather(8, 4), vgatherqps: gather(8, 4), vpgatherqq: gather(8, 8), vgatherqpd: gather(8, 8),
};
