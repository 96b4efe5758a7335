import { AccessClient, AccessServer, createRing, RingConsumer, RingProducer } from '@vmm/bus';
import { FakeClock } from '@vmm/device-kit/testing';
import { PORT, UART } from '@vmm/spec';
import { describe, expect, it } from 'vitest';
import { createBoard } from './board.ts';
import type { Board, BoardOptions } from './board.ts';
import { SerialDevices } from './serial-devices.ts';

interface Placed {
  readonly board: Board;
  readonly receive: (bytes: Uint8Array) => number;
  readonly sent: number[];
  readonly debugged: number[];
  readonly clock: FakeClock;
}

/** The devices on the board. */
function beside(): Placed {
  const clock = new FakeClock();
  const sent: number[] = [];
  const debugged: number[] = [];
  const board = boardOf(clock, sent, debugged, {});
  return { board, receive: (bytes) => board.serial.receive(bytes), sent, debugged, clock };
}

/** The same devices behind the access rings; its worker's loop runs whenever the client waits. */
function behindRings(): Placed {
  const clock = new FakeClock();
  const sent: number[] = [];
  const debugged: number[] = [];
  const [requests, replies] = [createRing(4096), createRing(256)];
  const devices: SerialDevices = new SerialDevices({
    clock, placed: () => true, serial: { transmit: (byte) => { sent.push(byte); } }, debugConsole: { transmit: (byte) => { debugged.push(byte); } },
    setIrq: (irq, level) => { board.setIrq(irq, level); }, flush: () => {},
  });
  const server = new AccessServer(new RingConsumer(requests), new RingProducer(replies), devices);
  const client = new AccessClient(new RingProducer(requests), new RingConsumer(replies), { name: 'console', isCancelled: () => { server.serve(); return false; } });
  const board: Board = boardOf(clock, sent, debugged, { serial: client, debugConsole: client });
  return { board, receive: (bytes) => devices.receive(bytes), sent, debugged, clock };
}

function boardOf(clock: FakeClock, sent: number[], debugged: number[], remote: NonNullable<BoardOptions['remote']>): Board {
  return createBoard({
    memoryBytes: 16 << 20, clock, onAttention: () => {},
    serial: { transmit: (byte) => { sent.push(byte); } }, debugConsole: { transmit: (byte) => { debugged.push(byte); } },
    onPowerOff: () => {}, onReset: () => {}, startUnixMs: 0, remote,
  });
}

/** What Linux's 8250 driver does to find and use the port, as a transcript of everything it could observe. */
function driveUart({ board, receive, sent, clock }: Placed): unknown[] {
  const { ports, cpu } = board;
  const at = (register: number): number => PORT.COM1 + register;
  const seen: unknown[] = [];
  const read = (register: number): void => { seen.push(ports.read(at(register), 1)); };
  for (const [port, value] of [[PORT.PIC_MASTER_COMMAND, 0x11], [PORT.PIC_MASTER_DATA, 0x20], [PORT.PIC_MASTER_DATA, 4], [PORT.PIC_MASTER_DATA, 1], [PORT.PIC_MASTER_DATA, 0xef]] as const) ports.write(port, 1, value);
  ports.write(at(UART.LCR), 1, 0x83);
  ports.write(at(UART.DATA), 1, 1);
  ports.write(at(UART.LCR), 1, 3);
  ports.write(at(UART.FCR), 1, 0xc7);
  ports.write(at(UART.MCR), 1, 0x1b);
  read(UART.MSR);
  ports.write(at(UART.MCR), 1, 0x0b);
  ports.write(at(UART.IER), 1, 5);
  for (const byte of new TextEncoder().encode('login: ')) {
    read(UART.LSR);
    ports.write(at(UART.DATA), 1, byte);
  }
  read(UART.IIR);
  ports.read(at(UART.IIR), 1);
  seen.push(receive(Uint8Array.of(114, 111, 111, 116)));
  clock.advance(50e6);
  ports.read(at(7), 1); // the interrupt of a remote device has arrived once an access is answered
  seen.push(cpu.pending() ? cpu.acknowledge() : 'no interrupt');
  for (let i = 0; i < 5; i++) {
    read(UART.IIR);
    read(UART.LSR);
    read(UART.DATA);
  }
  seen.push(ports.read(at(UART.LSR), 2), sent);
  board.reset();
  read(UART.LCR);
  return seen;
}

describe('placement', () => {
  it('shows the guest the same UART beside the vCPU and behind the rings', () => {
    const local = driveUart(beside());
    expect(local).toContain(0x24);
    expect(driveUart(behindRings())).toEqual(local);
  });

  it('shows the guest the same debug console in both', () => {
    const drive = ({ board, debugged }: Placed): unknown[] => {
      for (const byte of [79, 75]) board.ports.write(PORT.DEBUG_CONSOLE, 1, byte);
      return [board.ports.read(PORT.DEBUG_CONSOLE, 1), board.ports.read(PORT.DEBUG_CONSOLE, 2), debugged];
    };
    const local = drive(beside());
    expect(local).toEqual([0xe9, 0xffe9, [79, 75]]);
    expect(drive(behindRings())).toEqual(local);
  });
});
