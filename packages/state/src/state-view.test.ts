import { describe, expect, it } from 'vitest';
import { STATE, STATE_FIELDS, STATE_SIZE_BYTES, VCPU_LAYOUT } from './layout.ts';
import { StateView } from './state-view.ts';

describe('state layout', () => {
  it('places the zero register at slot 16 of the register file', () => expect(STATE.zero).toBe(STATE.gpr + 16 * 8));
  it('fits before the mask table', () => expect(VCPU_LAYOUT.state + STATE_SIZE_BYTES).toBeLessThanOrEqual(VCPU_LAYOUT.masks));
  it('overlaps no two fields', () => {
    const size = { i64: 8, i32: 4, f80: 16, v256: 32 };
    let end = 0;
    for (const [name, at] of Object.entries(STATE).sort((a, b) => a[1] - b[1])) {
      const field = STATE_FIELDS[name as keyof typeof STATE_FIELDS];
      if ('within' in field) continue;
      expect(at).toBeGreaterThanOrEqual(end);
      end = at + size[field.kind] * ('count' in field ? field.count ?? 1 : 1);
    }
  });
});

describe('StateView', () => {
  it('shows one 64-bit field as words, double and BigInt', () => {
    const view = new StateView(new ArrayBuffer(0x4000), 0x1000);
    view.setBig('gpr', 0x1_8000_0000n, 3);
    expect([view.lo('gpr', 3), view.hi('gpr', 3), view.number('gpr', 3)]).toEqual([-0x8000_0000, 1, 0x1_8000_0000]);
    view.setNumber('cr3', 0x12_3456_7000);
    expect(view.big('cr3')).toBe(0x12_3456_7000n);
  });
});
