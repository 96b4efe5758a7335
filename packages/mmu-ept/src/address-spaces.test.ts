import { describe, expect, it } from 'vitest';
import { AddressSpaces } from './address-spaces.ts';

describe('AddressSpaces', () => {
  it('gives 1024 different tags, then wipes and starts over', () => {
    let wipes = 0;
    const spaces = new AddressSpaces(() => { wipes++; });
    const seen = new Set<number>();
    for (let i = 0; i < 1024; i++) { spaces.enterFresh(); seen.add(spaces.current); }
    expect([seen.size, wipes, [...seen].every((tag) => (tag & ~0xffc) === 0)]).toEqual([1024, 0, true]);
    spaces.enterFresh();
    expect([wipes, seen.has(spaces.current)]).toEqual([1, true]);
  });
  it('forgets the tags of PCIDs at a wipe: another space may have them now', () => {
    const spaces = new AddressSpaces(() => undefined);
    spaces.enterPcid(7, true);
    for (let i = 0; i < 1024; i++) spaces.enterFresh();
    const stolen = spaces.current;
    spaces.enterPcid(7, true);
    expect(spaces.current).not.toBe(stolen);
  });
  it('keeps a PCID its tag only when asked to', () => {
    const spaces = new AddressSpaces(() => undefined);
    spaces.enterPcid(7, true);
    const first = spaces.current;
    spaces.enterPcid(8, true);
    spaces.enterPcid(7, true);
    expect(spaces.current).toBe(first);
    spaces.enterPcid(7, false);
    expect(spaces.current).not.toBe(first);
  });
});
