import { describe, expect, it } from 'vitest';
import type { GuestProfile } from '@vmm/runtime';
import { describeProfile, profileLines } from './profile-report.ts';
import { SymbolTable } from './symbols.ts';

const MAP = `ffffffff81000000 T _text
ffffffff81001000 t do_idle
ffffffff81002000 T entry_SYSCALL_64
ffffffff82000000 D not_code
junk
`;
const table = SymbolTable.parse(new TextEncoder().encode(MAP), 'System.map');
const SLIDE = 0x200_0000n;
const profile: GuestProfile = {
  samples: 10, idle: 4, classes: { P: 6, M: 4 }, syscallEntry: 0xffff_ffff_8100_2000n + SLIDE, sysenterEntry: 0n,
  addresses: [{ linear: 0xffff_ffff_8100_1010n + SLIDE, ring: 0, count: 5 }, { linear: 0x40_1234n, ring: 3, count: 3 }, { linear: 0xffff_ffff_8100_1ff0n + SLIDE, ring: 0, count: 2 }],
};

describe('symbols', () => {
  it('are functions of a System.map or of /proc/kallsyms', () => {
    expect(table.count).toBe(3);
    expect(table.find(0xffff_ffff_8100_0fffn)?.name).toBe('_text');
    expect([table.find(0xffff_ffff_80ff_ffffn), table.find(0xffff_ffff_8101_2000n)]).toEqual([undefined, undefined]);
  });

  it('tell by the system-call entry how far a kernel was moved', () => { expect(table.slide(profile)).toBe(SLIDE); });

  it('are refused when there are none', () => { expect(() => SymbolTable.parse(new Uint8Array(100), 'x')).toThrow('Cannot find symbols in x'); });
});

describe('a guest profile', () => {
  it('counts samples by function, and by page where there is no symbol', () => {
    expect(profileLines(profile, table)).toEqual([{ name: 'do_idle', ring: 0, count: 7 }, { name: '[page 401000]', ring: 3, count: 3 }]);
    expect(profileLines(profile, undefined)).toHaveLength(2);
  });

  it('is printed most first', () => {
    expect(describeProfile(profile, table)).toBe(`# 10 samples of the running guest: ring 0 70.00 %, others 30.00 %; 4 more while it had halted
# instructions sampled: P 60.00 %, M 40.00 %
# symbols 3, moved by 2000000
 70.00 %       7  ring 0  do_idle
 30.00 %       3  ring 3  [page 401000]
`);
  });
});
