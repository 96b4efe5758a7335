import { describe, expect, it, vi } from 'vitest';
import { fakeIrq, fuzzDevice } from '@vmm/device-kit/testing';
import { I8042, SCAN_CODES } from './index.ts';
import type { KeyCode } from './index.ts';

const DATA = 0x60, COMMAND = 0x64, PORT_A = 0x92;
const OBF = 0x01, AUX = 0x20;

function powered() {
  const keyboardIrq = fakeIrq();
  const mouseIrq = fakeIrq();
  const onReset = vi.fn();
  const onA20 = vi.fn();
  const kbc = new I8042({ keyboardIrq, mouseIrq, onReset, onA20 });
  const command = (value: number, ...data: number[]): void => {
    kbc.pioWrite(COMMAND, 1, value);
    for (const byte of data) kbc.pioWrite(DATA, 1, byte);
  };
  const status = (): number => kbc.pioRead(COMMAND, 1);
  const read = (): number => kbc.pioRead(DATA, 1);
  /** Everything that waits. */
  const drain = (): number[] => {
    const bytes = [];
    while ((status() & OBF) !== 0) bytes.push(read());
    return bytes;
  };
  const send = (...bytes: number[]): number[] => bytes.flatMap((byte) => (kbc.pioWrite(DATA, 1, byte), drain()));
  const sendMouse = (...bytes: number[]): number[] => bytes.flatMap((byte) => (command(0xd4, byte), drain()));
  return { kbc, keyboardIrq, mouseIrq, onReset, onA20, command, status, read, drain, send, sendMouse };
}

describe('I8042 controller', () => {
  it.each([
    { name: 'self test', command: 0xaa, answer: 0x55 }, { name: 'keyboard port test', command: 0xab, answer: 0 },
    { name: 'mouse port test', command: 0xa9, answer: 0 }, { name: 'output port', command: 0xd0, answer: 0x03 },
    { name: 'command byte', command: 0x20, answer: 0x47 },
  ])('answers the $name', ({ command, answer }) => {
    const board = powered();
    board.command(command);
    expect(board.status() & (OBF | AUX)).toBe(OBF);
    expect(board.read()).toBe(answer);
    expect(board.status() & OBF).toBe(0);
  });

  it('says that the key lock is open and whether a command or data came last', () => {
    const { status, command, kbc } = powered();
    expect(status()).toBe(0x14);
    command(0xae);
    expect(status()).toBe(0x1c);
    kbc.pioWrite(DATA, 1, 0xf4);
    expect(status() & 8).toBe(0);
  });

  it('keeps its RAM', () => {
    const { command, read } = powered();
    command(0x60, 0x65);
    command(0x7f, 0x5a);
    command(0x20);
    expect(read()).toBe(0x65);
    command(0x3f);
    expect(read()).toBe(0x5a);
  });

  it('loops a byte back as the mouse, which is how Linux tests for it, and interrupts', () => {
    const { command, status, read, mouseIrq } = powered();
    command(0xd3, 0xa5);
    expect(mouseIrq.level).toBe(true);
    expect(status() & (OBF | AUX)).toBe(OBF | AUX);
    expect(read()).toBe(0xa5);
    expect(mouseIrq.level).toBe(false);
    command(0xd2, 0x11);
    expect(status() & AUX).toBe(0);
    expect(read()).toBe(0x11);
  });

  it('shows the disable bits of the commands in the command byte, which Linux toggles', () => {
    const { command, read } = powered();
    const control = (): number => (command(0x20), read());
    command(0xa7);
    expect(control() & 0x20).toBe(0x20);
    command(0xa8);
    expect(control() & 0x20).toBe(0);
    command(0xad);
    expect(control() & 0x10).toBe(0x10);
    command(0xae);
    expect(control() & 0x10).toBe(0);
  });

  it.each([
    ['0xFE', (board: ReturnType<typeof powered>) => board.command(0xfe), 1],
    ['0xFF: no line', (board: ReturnType<typeof powered>) => board.command(0xff), 0],
    ['the output port', (board: ReturnType<typeof powered>) => board.command(0xd1, 0x02), 1],
    ['port 0x92', (board: ReturnType<typeof powered>) => board.kbc.pioWrite(PORT_A, 1, 0x03), 1],
  ])('resets the machine by %s', (_, act, times) => {
    const board = powered();
    act(board);
    expect(board.onReset).toHaveBeenCalledTimes(times);
  });

  it('moves the A20 gate by output port, command and port 0x92', () => {
    const { kbc, command, onA20, read } = powered();
    command(0xd1, 0x01);
    command(0xdf);
    command(0xdd);
    expect(kbc.pioRead(PORT_A, 1)).toBe(0);
    kbc.pioWrite(PORT_A, 1, 0x02);
    expect(onA20.mock.calls.flat()).toEqual([false, true, false, true]);
    command(0xd0);
    expect(read() & 2).toBe(2);
  });
});

describe('Keyboard', () => {
  it.each([
    { name: 'reset', bytes: [0xff], answer: [0xfa, 0xaa] }, { name: 'echo', bytes: [0xee], answer: [0xee] },
    { name: 'LEDs', bytes: [0xed, 0x07], answer: [0xfa, 0xfa] }, { name: 'typematic rate', bytes: [0xf3, 0x20], answer: [0xfa, 0xfa] },
    { name: 'enable', bytes: [0xf4], answer: [0xfa] }, { name: 'disable', bytes: [0xf5], answer: [0xfa] },
    { name: 'scan code set', bytes: [0xf0, 0x02], answer: [0xfa, 0xfa] }, { name: 'scan code set 3', bytes: [0xf0, 0x03], answer: [0xfa, 0xfe] },
    { name: 'nonsense', bytes: [0x05], answer: [0xfe] },
  ])('answers $name', ({ bytes, answer }) => {
    expect(powered().send(...bytes)).toEqual(answer);
  });

  it('identifies itself, translated and not', () => {
    const { send, command } = powered();
    expect(send(0xf2)).toEqual([0xfa, 0xab, 0x41]);
    command(0x60, 0x07);
    expect(send(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(send(0xf0, 0x00)).toEqual([0xfa, 0xfa, 2]);
  });

  it('remembers its LEDs', () => {
    const { kbc, send } = powered();
    send(0xed, 0x06);
    expect(kbc.keyboard.leds).toBe(6);
  });

  it.each<[KeyCode, number[], number[]]>([
    ['KeyA', [0x1e], [0x9e]], ['Enter', [0x1c], [0x9c]], ['F7', [0x41], [0xc1]], ['ArrowUp', [0xe0, 0x48], [0xe0, 0xc8]],
    ['ControlRight', [0xe0, 0x1d], [0xe0, 0x9d]], ['PrintScreen', [0xe0, 0x2a, 0xe0, 0x37], [0xe0, 0xb7, 0xe0, 0xaa]],
    ['Pause', [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5], []],
  ])('sends %s in set 1', (code, down, up) => {
    const { kbc, drain } = powered();
    kbc.keyboard.key(code, true);
    expect(drain()).toEqual(down);
    kbc.keyboard.key(code, false);
    expect(drain()).toEqual(up);
  });

  it('sends set 2 when translation is off', () => {
    const { kbc, drain, command } = powered();
    command(0x60, 0x07);
    kbc.keyboard.key('KeyA', true);
    kbc.keyboard.key('KeyA', false);
    expect(drain()).toEqual([0x1c, 0xf0, 0x1c]);
  });

  it('has a distinct set 1 code for every key', () => {
    const codes = (Object.keys(SCAN_CODES) as KeyCode[]).map((code) => {
      const { kbc, drain } = powered();
      kbc.keyboard.key(code, true);
      return drain().join();
    });
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('interrupts once a byte', () => {
    const { kbc, keyboardIrq, read } = powered();
    kbc.keyboard.key('ArrowUp', true);
    expect([keyboardIrq.level, keyboardIrq.edges]).toEqual([true, 1]);
    read();
    expect([keyboardIrq.level, keyboardIrq.edges]).toEqual([true, 2]);
    read();
    expect([keyboardIrq.level, keyboardIrq.edges]).toEqual([false, 2]);
  });

  it('is silent while disabled, at the keyboard or at the controller', () => {
    const { kbc, send, command, status, drain } = powered();
    send(0xf5);
    kbc.keyboard.key('KeyA', true);
    expect(drain()).toEqual([]);
    send(0xf4);
    command(0xad);
    kbc.keyboard.key('KeyB', true);
    expect(status() & OBF).toBe(0);
    command(0xae);
    expect(drain()).toEqual([0x30]);
  });

  it('drops whole keys when nobody reads', () => {
    const { kbc, drain } = powered();
    for (let i = 0; i < 500; i++) kbc.keyboard.key('ArrowUp', true);
    const bytes = drain();
    expect(bytes.length % 2).toBe(0);
    expect(bytes.slice(-2)).toEqual([0xe0, 0x48]);
  });
});

describe('Mouse', () => {
  it.each([
    { name: 'reset', bytes: [0xff], answer: [0xfa, 0xaa, 0x00] }, { name: 'identify', bytes: [0xf2], answer: [0xfa, 0x00] },
    { name: 'status', bytes: [0xe8, 3, 0xf3, 40, 0xe7, 0xf4, 0xe9], answer: [0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0x30, 3, 40] },
    { name: 'wrap mode', bytes: [0xee, 0xf2, 0x12, 0xec], answer: [0xfa, 0xf2, 0x12, 0xfa] },
    { name: 'nonsense', bytes: [0x11], answer: [0xfe] },
    { name: 'the IntelliMouse knock', bytes: [0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2], answer: [...Array<number>(7).fill(0xfa), 3] },
    { name: 'the Explorer knock', bytes: [0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf2], answer: [...Array<number>(13).fill(0xfa), 4] },
  ])('answers $name', ({ bytes, answer }) => {
    expect(powered().sendMouse(...bytes)).toEqual(answer);
  });

  it('reports movement and buttons as packets, marked as the mouse, with interrupts', () => {
    const { kbc, sendMouse, drain, status, mouseIrq } = powered();
    kbc.mouse.move(1, 1);
    expect(status() & OBF).toBe(0);
    sendMouse(0xf6, 0xf4);
    kbc.mouse.move(5, -3);
    expect([status() & AUX, mouseIrq.level]).toEqual([AUX, true]);
    expect(drain()).toEqual([0x28, 5, 0xfd]);
    kbc.mouse.setButtons(5);
    expect(drain()).toEqual([0x0d, 0, 0]);
  });

  it('splits a large movement and loses none of it', () => {
    const { kbc, sendMouse, drain } = powered();
    sendMouse(0xf4);
    for (let i = 0; i < 100; i++) kbc.mouse.move(30, 0);
    let x = 0;
    const bytes = drain();
    for (let i = 0; i < bytes.length; i += 3) x += (bytes[i + 1] ?? 0) - (((bytes[i] ?? 0) & 0x10) !== 0 ? 256 : 0);
    expect(x).toBe(3000);
  });

  it('reports the wheel and five buttons after the knocks', () => {
    const { kbc, sendMouse, drain } = powered();
    sendMouse(0xf3, 200, 0xf3, 200, 0xf3, 80, 0xf4);
    kbc.mouse.move(0, 0, -1);
    expect(drain()).toEqual([0x08, 0, 0, 0x0f]);
    kbc.mouse.setButtons(8);
    expect(drain()).toEqual([0x08, 0, 0, 0x10]);
  });

  it('answers polls in remote mode and reports nothing by itself', () => {
    const { kbc, sendMouse, drain } = powered();
    sendMouse(0xf4, 0xf0);
    kbc.mouse.move(7, 0);
    expect(drain()).toEqual([]);
    expect(sendMouse(0xeb)).toEqual([0xfa, 0x08, 7, 0]);
  });
});

describe('I8042 snapshot', () => {
  it('continues with its buffers and lines', () => {
    const one = powered();
    one.command(0xdd);
    one.sendMouse(0xf4);
    one.kbc.keyboard.key('ArrowUp', false);
    one.kbc.mouse.move(1, 2);
    const two = powered();
    two.kbc.restore(structuredClone(one.kbc.save()));
    expect([two.keyboardIrq.level, two.kbc.isA20Open]).toEqual([true, false]);
    expect(two.drain()).toEqual([0xe0, 0xc8, 0x08, 1, 2]);
  });

  it('survives a mad driver', () => {
    const { kbc } = powered();
    for (let seed = 1; seed < 30; seed++) {
      fuzzDevice(kbc, { seed, accesses: 1000 });
      kbc.keyboard.key('KeyA', true);
      kbc.mouse.move(seed * 100, -seed, seed);
    }
    kbc.reset();
  });
});
