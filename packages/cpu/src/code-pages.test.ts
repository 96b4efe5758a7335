import { describe, expect, it } from 'vitest';
import { CodePages } from './code-pages.ts';
import type { CodeUnit } from './code-pages.ts';

const PAGE = 0x1000;

function setUp(): { readonly pages: CodePages; readonly log: string[]; readonly asked: () => number; readonly unit: (name: string, from: number, to: number) => CodeUnit } {
  const log: string[] = [], pages = new CodePages((host) => log.push(`protect ${host >> 12}`), (host) => log.push(`unprotect ${host >> 12}`));
  let asked = 0;
  const unit = (name: string, from: number, to: number): CodeUnit => {
    const made: CodeUnit = {
      overlaps: (at, size) => { asked++; return at < to && at + size > from; },
      kill: () => {
        log.push(`kill ${name}`);
        for (let at = from - from % PAGE; at < to; at += PAGE) pages.leave(at, made);
      },
    };
    for (let at = from - from % PAGE; at < to; at += PAGE) pages.enter(at, made);
    asked = 0;
    return made;
  };
  return { pages, log, asked: () => asked, unit };
}

describe('code pages', () => {
  it('protect a page from its first unit to its last', () => {
    const { pages, log, unit } = setUp();
    unit('a', 0x1010, 0x1020);
    unit('b', 0x1020, 0x1030);
    pages.written(0x1010, 4);
    pages.written(0x1020, 4);
    expect(log).toEqual(['protect 1', 'kill a', 'kill b', 'unprotect 1']);
  });
  it.each([
    ['the byte before', 0x103f, 1, []], ['the first byte', 0x1040, 1, ['kill a']], ['the last byte', 0x10bf, 1, ['kill a']], ['the byte after', 0x10c0, 1, []],
    ['everything around', 0x1000, PAGE, ['kill a']], ['from the page before', 0xffc, 0x45, ['kill a']], ['another page', 0x2040, 64, []],
  ])('a store to %s of a unit', (_what, host, size, expected) => {
    const { pages, log, unit } = setUp();
    unit('a', 0x1040, 0x10c0);
    pages.written(host, size);
    expect(log.filter((line) => line.startsWith('kill'))).toEqual(expected);
  });
  it('kill a unit once, wherever it is written and however many lines and pages it has', () => {
    const { pages, log, unit } = setUp();
    unit('a', 0x1f80, 0x2080);
    pages.written(0x1f00, 0x200);
    pages.written(0x2000, 8);
    expect(log).toEqual(['protect 1', 'protect 2', 'kill a', 'unprotect 1', 'unprotect 2']);
  });
  it('kill all that share bytes, while they leave', () => {
    const { pages, log, unit } = setUp();
    for (const name of ['a', 'b', 'c']) unit(name, 0x1000, 0x1008);
    pages.written(0x1004, 1);
    expect(log).toEqual(['protect 1', 'kill a', 'kill b', 'kill c', 'unprotect 1']);
  });
  it('ask only units near the store', () => {
    const { pages, asked, unit } = setUp();
    for (let at = 0x1000; at < 0x1c00; at += 16) unit(`${at}`, at, at + 16);
    pages.written(0x1e00, 8);
    expect(asked()).toBe(0);
    pages.written(0x1bf8, 4);
    expect(asked()).toBeLessThan(6);
  });
});
