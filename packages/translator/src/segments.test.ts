import { describe, expect, it } from 'vitest';
import { LOW, runLow, runSegmented, SEGMENTED } from './flat-machine.testing.ts';
import type { FlatRun } from './flat-machine.testing.ts';
import { outcomeOf } from './random-programs.testing.ts';

type Run = (engine: 'interpreter' | 'translator') => FlatRun;
/** Both engines leave the same behind; something was translated. */
function expectSame(run: Run): FlatRun {
  const expected = run('interpreter'), actual = run('translator');
  expect(actual.counters['regions'], 'something was translated').toBeGreaterThan(0);
  expect(outcomeOf(actual)).toBe(outcomeOf(expected));
  return actual;
}
const MODES = ['real', 'virtual-8086'] as const;
const codeSegment = LOW.code - SEGMENTED.code >> 4, dataSegment = LOW.data - SEGMENTED.data >> 4;

describe('translated code in segments that are not flat', () => {
  it.each([
    ['a read that the limit of DS ends', 'again: mov ax, [bx]\nadd dx, ax\nadd bx, 2\njmp again', 1],
    ['a write that the limit of SS ends', 'again: mov [bp+1], dx\nadd bp, 2\nadd dx, bp\njmp again', 0],
    ['a dword across the end of ES', 'again: mov eax, [es:di]\nadd dx, ax\nadd di, 1\njmp again', 1],
  ])('stops at %s', (_, loop, odd) => {
    const run = expectSame((engine) => runSegmented(16, `mov bx, ${odd}\nmov di, 0\n${loop}`, engine));
    expect(run.result).toBe('shutdown');
  });

  it('wraps the 16-bit stack pointer, and faults where a push crosses the end', () => {
    expectSame((engine) => runSegmented(16, 'mov cx, 400\nmov sp, 8\nagain: push cx\nloop again\nmov ax, sp\nhlt', engine));
    const run = expectSame((engine) => runSegmented(16, 'mov sp, 401\nagain: push cx\ninc dx\njmp again', engine));
    expect(run.result).toBe('shutdown');
  });

  it.each(MODES)('goes on with other segments that are loaded in a loop, in %s mode', (mode) => {
    expectSame((engine) => runLow(mode, `
        mov cx, 300
      again:
        mov ax, cx
        and ax, 15
        add ax, ${dataSegment}
        mov es, ax
        add dx, [es:0x80]
        push es
        pop ds
        add [0x90], cx
        lds si, [ss:0x${SEGMENTED.data.toString(16)}]
        add dx, si
        loop again
        hlt`, engine));
  });

  it.each(MODES)('takes the same code at another segment and offset for another, in %s mode', (mode) => {
    // each turn calls the function as 1000:0x and as 0FFF:1x: its near jump and the address it pushes differ
    expectSame((engine) => runLow(mode, `
        mov cx, 200
      again:
        call far ${codeSegment}:function
        call far ${codeSegment - 1}:function+16
        loop again
        hlt
      function:
        call here
      here:
        pop ax
        add dx, ax
        rol dx, 1
        mov si, 5
      turn:
        add dx, si
        dec si
        jnz turn
        retf`, engine));
  });

  it.each(MODES)('tells functions at the same offset of two segments apart, in %s mode', (mode) => {
    // copies a function 4 KiB up with another constant: its segment is 0x100 higher, its offset the same
    expectSame((engine) => runLow(mode, `
        mov ax, ${codeSegment}
        mov ds, ax
        add ax, 0x100
        mov es, ax
        mov si, function
        mov di, si
        mov cx, after-function
        rep movsb
        mov word [es:function+2], 0x77
        mov cx, 300
      again:
        call far ${codeSegment}:function
        call far ${codeSegment + 0x100}:function
        loop again
        hlt
      function:
        add dx, 0x1234
        mov si, 3
      turn:
        rol dx, 1
        dec si
        jnz turn
        retf
      after:`, engine));
  });

  it('leaves what goes beyond the limit of CS to the interpreter', () => {
    // the last turn jumps to an address that the limit excludes
    const run = expectSame((engine) => runSegmented(32, 'mov ecx, 300\nagain: mov eax, target\nadd edx, ecx\ncmp ecx, 1\njne near ok\nmov eax, 0x10000\nok: jmp eax\ntarget: dec ecx\njmp again', engine));
    expect(run.result).toBe('shutdown');
  });

  it('wraps IP where a 16-bit branch goes below 0', () => {
    // from 0x20, 0x30 back: to 0xfff0 and what is there
    const run = expectSame((engine) => runSegmented(16, 'mov cx, 300\nagain: add dx, cx\nloop again\ndb 0xe9\ndw -0x40-($-$$)\nhlt', engine));
    expect(['halt', 'shutdown']).toContain(run.result);
  });

  it('has no windows where segments are not flat: each access has its own base', () => {
    expectSame((engine) => runSegmented(32, `
        mov ecx, 300
        mov ebx, 0x1100
      again:
        mov eax, [ebx]
        add [es:ebx+4], eax
        mov edx, [es:ebx]
        xor [ebx+4], edx
        push edx
        mov edx, [esp]
        add esp, 4
        loop again
        hlt`, engine));
  });

  it('moves strings up to the limit in one piece, and not beyond', () => {
    expectSame((engine) => runSegmented(16, 'mov dx, 30\nagain: mov si, 0x100\nmov di, 0x1200\nmov cx, 700\nrep movsb\ndec dx\njnz again\nhlt', engine));
    const run = expectSame((engine) => runSegmented(16, 'mov dx, 30\nagain: mov si, 0x100\nmov di, 0x1200\nmov cx, 70\nrep movsb\ndec dx\njnz again\nmov di, 0xff01\nmov cx, 300\nrep movsd\nhlt', engine));
    expect(run.result).toBe('shutdown');
  });
});
