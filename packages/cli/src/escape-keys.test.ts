import { describe, expect, it } from 'vitest';
import { EscapeKeys } from './escape-keys.ts';
import type { KeyCommand } from './escape-keys.ts';

function type(...chunks: string[]): [string, KeyCommand[]] {
  const keys = new EscapeKeys();
  const commands: KeyCommand[] = [];
  const bytes = chunks.map((chunk) => new TextDecoder().decode(keys.filter(new TextEncoder().encode(chunk), (command) => { commands.push(command); })));
  return [bytes.join(''), commands];
}

describe('escape keys', () => {
  it.each([
    ['ordinary text', ['ls\r'], 'ls\r', []],
    ['Ctrl-A x', ['a\x01xb'], 'ab', ['quit']],
    ['Ctrl-A h and Ctrl-A ?', ['\x01h\x01?'], '', ['help', 'help']],
    ['Ctrl-A X', ['\x01X'], '', ['quit']],
    ['Ctrl-A Ctrl-A', ['\x01\x01x'], '\x01x', []],
    ['an unknown command', ['\x01z'], '\x01z', []],
    ['a command that comes in two chunks', ['\x01', 'x'], '', ['quit']],
    ['Ctrl-C, which is the guest\'s', ['\x03'], '\x03', []],
  ] as const)('treat %s', (_, chunks, bytes, commands) => {
    expect(type(...chunks)).toEqual([bytes, commands]);
  });
});
