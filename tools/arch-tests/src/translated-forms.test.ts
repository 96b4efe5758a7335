import { CPU_MODELS, MODE, Vcpu } from '@vmm/cpu';
import { Instruction, rows } from '@vmm/decoder';
import type { Row } from '@vmm/decoder';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { RegionTranslator } from '@vmm/translator';
import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { encodeRow } from './user-mode/encode-row.ts';

/** What -march=x86-64-v3 allows a compiler, by the decoder's names. */
const V3 = new Set('base cmov cx8 cx16 fpu mmx sse sse2 sse3 ssse3 sse4_1 sse4_2 popcnt lzcnt bmi1 bmi2 movbe f16c fma avx avx2'.split(' '));
/** What no compiler makes of a program: far transfers, ports, interrupts, descriptors and what only systems look at. */
const NOT_FROM_COMPILERS = new Set('callf jmpf retf iret in out ins outs int int1 int3 into lss lar lsl verr verw sgdt sidt sldt str smsw rdpmc rsm'.split(' '));

function translator(): RegionTranslator {
  let made: RegionTranslator | undefined;
  const memory = new MachineMemory({ ramBytes: 4 << 20 });
  new Vcpu({
    memory, model: CPU_MODELS['x86-64-v3'], createMmu: (context) => new EptMmu(context), clock: { readTsc: () => 0n, tscHz: 1e9 }, ports: { read: () => 0, write: () => undefined },
    interrupts: { pending: () => false, takeNmi: () => false, acknowledge: () => -1 }, createTranslator: (context) => (made = new RegionTranslator(context)),
  });
  if (made === undefined) throw new Error('no translator was made');
  return made;
}
const isCompilers = (row: Row): boolean => V3.has(row.feature) && !row.cpl0 && !NOT_FROM_COMPILERS.has(row.mnemonic);

describe('what compilers emit for x86-64-v3', () => {
  it.each([[64, MODE.CODE64], [32, MODE.CODE32 | MODE.STACK32 | MODE.FLAT]] as const)('is translated, every row of the table in several encodings of %i-bit code', (mode, key) => {
    const random = new Random(3), inst = new Instruction(), subject = translator(), left = new Map<string, string>();
    let encodings = 0;
    for (const row of rows) {
      if (!isCompilers(row)) continue;
      for (let n = 0; n < 8; n++) {
        const code = encodeRow(row, mode, random, inst);
        // nobody cuts branch targets to 16 bits
        if (code === undefined || inst.has66 && row.endsBlock) continue;
        encodings++;
        if (!subject.translates(inst, key | MODE.PROTECTED | MODE.USER)) left.set(row.mnemonic, Buffer.from(code).toString('hex'));
      }
    }
    expect([...left]).toEqual([]);
    expect(encodings).toBeGreaterThan(5000);
  });
});
