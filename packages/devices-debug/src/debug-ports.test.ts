import { describe, expect, it, vi } from 'vitest';
import { PortBus } from '@vmm/device-kit';
import { fuzzDevice } from '@vmm/device-kit/testing';
import { DebugConsole, DebugExit, PostCode } from './index.ts';

describe('PostCode', () => {
  it('reports changes and reads back', () => {
    const onCode = vi.fn();
    const device = new PostCode({ onCode });
    for (const code of [1, 1, 2, 2, 1]) device.pioWrite(0x80, 1, code);
    expect(onCode.mock.calls.flat()).toEqual([1, 2, 1]);
    expect(device.pioRead(0x80, 1)).toBe(1);
  });

  it('keeps its code in a snapshot', () => {
    const one = new PostCode();
    one.pioWrite(0x80, 1, 0x55);
    const two = new PostCode();
    two.restore(structuredClone(one.save()));
    expect(two.last).toBe(0x55);
    two.reset();
    expect(two.last).toBe(0);
  });
});

describe('DebugConsole', () => {
  it('is found by reading 0xE9 and takes bytes, wider writes split', () => {
    const bytes: number[] = [];
    const bus = new PortBus();
    bus.attach(new DebugConsole({ onByte: (byte) => bytes.push(byte) }));
    expect(bus.read(0xe9, 1)).toBe(0xe9);
    bus.write(0xe9, 1, 0x41);
    bus.write(0xe9, 2, 0x4342);
    expect(bytes).toEqual([0x41, 0x42]);
  });

  it('can be had at 0x402 for SeaBIOS', () => {
    const onByte = vi.fn();
    const bus = new PortBus();
    bus.attach(new DebugConsole({ onByte, base: 0x402 }));
    bus.write(0x402, 1, 10);
    expect(onByte).toHaveBeenCalledExactlyOnceWith(10);
  });
});

describe('DebugExit', () => {
  it.each([[1, 0, 1], [4, 0x10, 0x21], [2, 0x31, 0x63], [4, 0xffffffff, 0xff]] as const)('a write of %i bytes, %i, ends with %i', (size, value, code) => {
    const onExit = vi.fn();
    const bus = new PortBus();
    bus.attach(new DebugExit({ onExit }));
    bus.write(0xf4, size, value);
    expect(onExit).toHaveBeenCalledExactlyOnceWith(code);
  });
});

it.each([new PostCode(), new DebugConsole({ onByte() {} }), new DebugExit({ onExit() {} })])('$name survives a mad driver', (device) => {
  fuzzDevice(device, { accesses: 2000 });
});
