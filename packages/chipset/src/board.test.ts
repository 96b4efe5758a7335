import { VirtualClock } from '@vmm/clock';
import { FakeClock } from '@vmm/device-kit/testing';
import { ACPI_PM, PORT } from '@vmm/spec';
import { describe, expect, it, vi } from 'vitest';
import { createBoard } from './board.ts';
import type { Board, BoardOptions } from './board.ts';

function powered(options: Partial<BoardOptions> = {}): { board: Board; clock: FakeClock; onAttention: ReturnType<typeof vi.fn>; sent: number[] } {
  const clock = new FakeClock();
  const onAttention = vi.fn();
  const sent: number[] = [];
  const board = createBoard({
    memoryBytes: 16 << 20, clock, onAttention, serial: { transmit: (byte) => { sent.push(byte); } },
    onPowerOff: vi.fn(), onReset: vi.fn(), startUnixMs: 0, ...options,
  });
  return { board, clock, onAttention, sent };
}

/** What a kernel's PIC driver does: vectors from 0x20, everything masked but what is asked for. */
function openPic({ ports }: Board, unmasked: number): void {
  for (const value of [0x11, 0x20, 4, 1]) ports.write(value === 0x11 ? PORT.PIC_MASTER_COMMAND : PORT.PIC_MASTER_DATA, 1, value);
  ports.write(PORT.PIC_MASTER_DATA, 1, ~(1 << unmasked) & 0xff);
}

describe('board pc', () => {
  it('delivers the PIT through the 8259 and the virtual wire', () => {
    const { board, clock, onAttention } = powered();
    openPic(board, 0);
    for (const [port, value] of [[PORT.PIT_CONTROL, 0x34], [PORT.PIT_CHANNEL0, 0x9c], [PORT.PIT_CHANNEL0, 0x2e]] as const) board.ports.write(port, 1, value);
    expect(board.cpu.acknowledge()).toBe(0x20); // the output has risen with the mode
    board.ports.write(PORT.PIC_MASTER_COMMAND, 1, 0x20);
    expect(board.cpu.pending()).toBe(false);
    onAttention.mockClear();
    clock.advance(10.1e6);
    expect(onAttention).toHaveBeenCalled();
    expect([board.cpu.pending(), board.cpu.acknowledge(), board.cpu.pending()]).toEqual([true, 0x20, false]);
  });

  it('delivers COM1 as interrupt 4', () => {
    const { board, sent } = powered();
    openPic(board, 4);
    board.ports.write(PORT.COM1, 1, 65);
    board.ports.write(PORT.COM1 + 4, 1, 8); // OUT2
    board.ports.write(PORT.COM1 + 1, 1, 1); // received data available
    expect(board.cpu.pending()).toBe(false);
    board.serial.receive(Uint8Array.of(66));
    expect([sent, board.cpu.pending(), board.cpu.acknowledge(), board.ports.read(PORT.COM1, 1)]).toEqual([[65], true, 0x24, 66]);
  });

  it('keeps the APIC\'s registers where the guest put them, and at home again after a reset', () => {
    const { board } = powered();
    const version = board.mmio.read(0xfee0_0030, 4);
    expect(version & 0xff).toBeGreaterThanOrEqual(0x10);
    board.cpu.writeApicBase(0xfed0_0900, 0);
    expect([board.mmio.read(0xfee0_0030, 4), board.mmio.read(0xfed0_0030, 4)]).toEqual([0xffff_ffff, version]);
    board.reset();
    expect(board.mmio.read(0xfee0_0030, 4)).toBe(version);
  });

  it('shows its bridges on PCI, and resets through the port between theirs', () => {
    const onReset = vi.fn();
    const { board } = powered({ onReset });
    const identify = (address: number): number => {
      board.ports.write(PORT.PCI_CONFIG_ADDRESS, 4, address);
      return board.ports.read(PORT.PCI_CONFIG_DATA, 4);
    };
    expect([0x8000_0000, 0x8000_0800, 0x8000_0b00, 0x8000_1000].map(identify)).toEqual([0x1237_8086, 0x7000_8086, 0x7113_8086, 0xffff_ffff]);
    board.ports.write(PORT.RESET_CONTROL, 1, 6);
    expect(onReset).toHaveBeenCalledExactlyOnceWith('port 0xCF9');
  });

  it('ends through the debug-exit port as QEMU does, and through ACPI', () => {
    const [onDebugExit, onPowerOff] = [vi.fn(), vi.fn()];
    const { board } = powered({ onDebugExit, onPowerOff });
    board.ports.write(PORT.DEBUG_EXIT, 1, 0x10);
    board.ports.write(ACPI_PM.BASE + ACPI_PM.PM1_CONTROL, 2, ACPI_PM.S5_SLEEP_TYPE << 10 | 1 << 13);
    expect([onDebugExit.mock.calls, onPowerOff.mock.calls]).toEqual([[[33]], [[]]]);
  });

  it('sends the debug console where it was told', () => {
    const bytes: number[] = [];
    const { board } = powered({ debugConsole: { transmit: (byte) => { bytes.push(byte); } } });
    board.ports.write(PORT.DEBUG_CONSOLE, 1, 88);
    expect([bytes, board.ports.read(PORT.DEBUG_CONSOLE, 1)]).toEqual([[88], 0xe9]);
  });

  it('shows its bridges on PCI bus 0, and resets by the byte within the address port', () => {
    const onReset = vi.fn();
    const { board } = powered({ onReset });
    const id = (device: number, fn: number): number => {
      board.ports.write(PORT.PCI_CONFIG_ADDRESS, 4, (0x8000_0000 | (device << 11) | (fn << 8)) >>> 0);
      return board.ports.read(PORT.PCI_CONFIG_DATA, 4);
    };
    expect([id(0, 0), id(1, 0), id(1, 3), id(2, 0)]).toEqual([0x1237_8086, 0x7000_8086, 0x7113_8086, 0xffff_ffff]);
    board.ports.write(PORT.RESET_CONTROL, 1, 0x06);
    expect(onReset).toHaveBeenCalledExactlyOnceWith('port 0xCF9');
  });

  it('runs on any clock of the machine', () => {
    expect(() => powered({ clock: new VirtualClock(() => 0) })).not.toThrow();
  });
});
