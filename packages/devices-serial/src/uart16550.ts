import type { AccessSize, Clock, Device, IrqLine, PortRange, Timer } from '@vmm/device-kit';
import { PORT, UART, UART_BITS as B } from '@vmm/spec';
import { ReceiveQueue } from './receive-queue.ts';

export interface Uart16550Options {
  /** First of the eight ports. Default COM1. */
  readonly base?: number;
  readonly name?: string;
  readonly irq: IrqLine;
  /** Takes a byte that the guest has sent. Transmission takes no time. */
  readonly onTransmit: (byte: number) => void;
  /** For the timeout interrupt after four character times. Without a clock it comes at once. */
  readonly clock?: Clock;
  /** Called when the receive queue, having held bytes, is empty again. */
  readonly onReceiveDrained?: () => void;
  /** Bytes that `receive()` holds for the guest beyond the FIFO. Default 65536. */
  readonly receiveQueueBytes?: number;
}

interface UartRegisters {
  ier: number;
  lcr: number;
  mcr: number;
  msr: number;
  scratch: number;
  divisor: number;
  isFifoEnabled: boolean;
  triggerLevel: number;
  isOverrun: boolean;
  isTransmitInterruptPending: boolean;
  isTimedOut: boolean;
}

interface UartState {
  readonly registers: UartRegisters;
  readonly fifo: readonly number[];
  readonly queue: Uint8Array;
}

const FIFO_DEPTH = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
const TRANSMITTER_IDLE = B.LSR_TRANSMIT_HOLDING_EMPTY | B.LSR_TRANSMITTER_EMPTY;
/** The cable: carrier, data set and clear-to-send are always there. */
const MODEM_CONNECTED = B.MSR_CTS | B.MSR_DSR | B.MSR_DCD;
/** Error bits travel with their byte through the FIFO, above it. */
const ERROR_SHIFT = 8;
const TIMEOUT_CHARACTERS = 4;
const SLOWEST_TIMEOUT_NS = 20e6;
/** A driver that waits for the transmitter looks once or twice. */
const POLLS_OF_A_LISTENER = 64;
/** Longer than a driver takes to probe or start a port. */
const SETTLING_NS = 10_000_000;

function powerOnRegisters(): UartRegisters {
  return {
    ier: 0, lcr: 0, mcr: 0, msr: MODEM_CONNECTED, scratch: 0, divisor: 12, isFifoEnabled: false, triggerLevel: 1,
    isOverrun: false, isTransmitInterruptPending: false, isTimedOut: false,
  };
}

/** 16550A UART. The interrupt reaches the line only while OUT2 is set, as the PC wires it. @hot: DATA, IIR, LSR */
export class Uart16550 implements Device {
  readonly name: string;
  readonly ports: readonly PortRange[];
  readonly #base: number;
  readonly #irq: IrqLine;
  readonly #onTransmit: (byte: number) => void;
  readonly #onReceiveDrained: (() => void) | undefined;
  readonly #clock: Clock | undefined;
  readonly #queue: ReceiveQueue;
  /** Received characters with their error bits. */
  #fifo: number[] = [];
  /** How many of them have an error. */
  #flawed = 0;
  #r = powerOnRegisters();
  #timeout: Timer | undefined;
  /** Looks at the line status that found nothing, since the guest last sent. */
  #idlePolls = 0;
  #settling: Timer | undefined;
  #isSettled = false;

  constructor(options: Uart16550Options) {
    this.#base = options.base ?? PORT.COM1;
    this.name = options.name ?? 'uart';
    this.ports = [{ base: this.#base, length: 8 }];
    this.#irq = options.irq;
    this.#onTransmit = options.onTransmit;
    this.#onReceiveDrained = options.onReceiveDrained;
    this.#clock = options.clock;
    this.#queue = new ReceiveQueue(options.receiveQueueBytes ?? 0x1_0000);
  }

  /** Bytes from the other end of the cable. Answers how many were taken; offer the rest after `onReceiveDrained`. */
  receive(bytes: ArrayLike<number>): number {
    const taken = this.#queue.push(bytes);
    this.#refill();
    this.#updateIrq();
    return taken;
  }

  /**
   * Whether the guest would take a byte now: it has enabled the interrupt, connected it and left it so for a while (a driver that probes or
   * starts reads and clears the FIFO meanwhile), or it keeps polling for one. Bytes that arrive while it does neither are lost.
   */
  get isListening(): boolean {
    return (this.#awaitsInterrupt && this.#isSettled) || this.#idlePolls >= POLLS_OF_A_LISTENER;
  }

  /** A break condition on the line: Linux takes it for SysRq. */
  receiveBreak(): void {
    this.#enqueue(B.LSR_BREAK << ERROR_SHIFT);
    this.#updateIrq();
  }

  pioRead(port: number, _size: AccessSize): number {
    const r = this.#r;
    switch (port - this.#base) {
      case UART.DATA: return this.#isDivisorAccess() ? r.divisor & 0xff : this.#readData();
      case UART.IER: return this.#isDivisorAccess() ? r.divisor >> 8 : r.ier;
      case UART.IIR: return this.#readIir();
      case UART.LCR: return r.lcr;
      case UART.MCR: return r.mcr;
      case UART.LSR: return this.#readLsr();
      case UART.MSR: return this.#readMsr();
      default: return r.scratch;
    }
  }

  pioWrite(port: number, _size: AccessSize, value: number): void {
    const byte = value & 0xff;
    const r = this.#r;
    switch (port - this.#base) {
      case UART.DATA:
        if (this.#isDivisorAccess()) r.divisor = (r.divisor & 0xff00) | byte;
        else this.#transmit(byte);
        break;
      case UART.IER:
        if (this.#isDivisorAccess()) r.divisor = (r.divisor & 0xff) | (byte << 8);
        else this.#writeIer(byte & 0x0f);
        break;
      case UART.FCR: this.#writeFcr(byte); break;
      case UART.LCR: r.lcr = byte; break;
      case UART.MCR: this.#writeMcr(byte & 0x1f); break;
      case UART.LSR: break; // for factory tests only
      case UART.MSR: break;
      default: r.scratch = byte;
    }
  }

  reset(): void {
    this.#r = powerOnRegisters();
    this.#setFifo([]);
    this.#timeout?.cancel();
    this.#refill();
    this.#updateIrq();
  }

  save(): UartState {
    return { registers: { ...this.#r }, fifo: [...this.#fifo], queue: this.#queue.toArray() };
  }

  restore(snapshot: unknown): void {
    const state = snapshot as UartState;
    this.#r = { ...state.registers };
    this.#setFifo([...state.fifo]);
    this.#queue.clear();
    this.#queue.push(state.queue);
    if (this.#fifo.length > 0) this.#restartTimeout();
    this.#noteListening(false);
    this.#updateIrq();
  }

  #isDivisorAccess(): boolean {
    return (this.#r.lcr & B.LCR_DLAB) !== 0;
  }

  #isLoopback(): boolean {
    return (this.#r.mcr & B.MCR_LOOP) !== 0;
  }

  get #awaitsInterrupt(): boolean {
    return (this.#r.ier & B.IER_RECEIVED) !== 0 && this.#isConnected;
  }

  /** After IER or MCR were written. */
  #noteListening(wasAwaiting: boolean): void {
    if (!this.#awaitsInterrupt || wasAwaiting) return;
    this.#isSettled = this.#clock === undefined;
    if (this.#clock === undefined) return;
    const settledNs = this.#clock.now() + SETTLING_NS;
    if (this.#settling === undefined) this.#settling = this.#clock.schedule(settledNs, () => { this.#isSettled = true; });
    else this.#settling.reschedule(settledNs);
  }

  /** Whether interrupts reach the line. */
  get #isConnected(): boolean {
    return (this.#r.mcr & (B.MCR_OUT2 | B.MCR_LOOP)) === B.MCR_OUT2;
  }

  // Transmitter

  #transmit(byte: number): void {
    this.#idlePolls = 0;
    this.#r.isTransmitInterruptPending = false;
    this.#updateIrq();
    if (this.#isLoopback()) this.#enqueue(byte);
    else this.#onTransmit(byte);
    this.#r.isTransmitInterruptPending = true;
    this.#updateIrq();
  }

  /** Enabling the transmit interrupt while the transmitter is empty asks for one: drivers start sending that way. */
  #writeIer(value: number): void {
    const r = this.#r;
    const changed = r.ier ^ value, wasAwaiting = this.#awaitsInterrupt;
    r.ier = value;
    this.#noteListening(wasAwaiting);
    if ((changed & B.IER_TRANSMIT_EMPTY) !== 0) r.isTransmitInterruptPending = (value & B.IER_TRANSMIT_EMPTY) !== 0;
    this.#updateIrq();
  }

  // Receiver

  #readData(): number {
    const character = this.#fifo.shift() ?? 0;
    if (character > 0xff) this.#flawed--;
    this.#r.isTimedOut = false;
    this.#refill();
    if (this.#fifo.length > 0) this.#restartTimeout();
    else this.#timeout?.cancel();
    this.#updateIrq();
    return character & 0xff;
  }

  #capacity(): number {
    return this.#r.isFifoEnabled ? FIFO_DEPTH : 1;
  }

  /** Moves waiting bytes into the FIFO. In loopback the receiver is cut off from the cable. */
  #refill(): void {
    if (this.#queue.length === 0 || this.#isLoopback()) return;
    while (this.#queue.length > 0 && this.#fifo.length < this.#capacity()) this.#enqueue(this.#queue.shift());
    if (this.#queue.length === 0) this.#onReceiveDrained?.();
  }

  #enqueue(character: number): void {
    if (this.#fifo.length >= this.#capacity()) {
      this.#r.isOverrun = true;
      if (!this.#r.isFifoEnabled) this.#setFifo([character]); // the holding register is overwritten
      return;
    }
    this.#fifo.push(character);
    if (character > 0xff) this.#flawed++;
    this.#restartTimeout();
  }

  #setFifo(characters: number[]): void {
    this.#fifo = characters;
    this.#flawed = characters.filter((character) => character > 0xff).length;
  }

  #restartTimeout(): void {
    if (!this.#r.isFifoEnabled) return;
    if (this.#clock === undefined) {
      this.#r.isTimedOut = true;
      return;
    }
    const deadlineNs = this.#clock.now() + Math.min(TIMEOUT_CHARACTERS * this.#characterNs(), SLOWEST_TIMEOUT_NS);
    if (this.#timeout === undefined) this.#timeout = this.#clock.schedule(deadlineNs, () => this.#timedOut());
    else this.#timeout.reschedule(deadlineNs);
  }

  #timedOut(): void {
    this.#r.isTimedOut = this.#fifo.length > 0;
    this.#updateIrq();
  }

  #characterNs(): number {
    const { lcr, divisor } = this.#r;
    const bits = 1 + 5 + (lcr & B.LCR_WORD_MASK) + ((lcr & B.LCR_PARITY) !== 0 ? 1 : 0) + ((lcr & B.LCR_STOP) !== 0 ? 2 : 1);
    return (bits * 16 * (divisor || 0x1_0000) * 1e9) / UART.CLOCK_HZ;
  }

  #writeFcr(value: number): void {
    const r = this.#r;
    const isEnabled = (value & B.FCR_ENABLE) !== 0;
    const isSwitched = isEnabled !== r.isFifoEnabled;
    r.isFifoEnabled = isEnabled;
    if (isSwitched || (value & B.FCR_CLEAR_RECEIVE) !== 0) {
      this.#setFifo([]);
      r.isTimedOut = false;
      this.#timeout?.cancel();
    }
    if (isSwitched || (value & B.FCR_CLEAR_TRANSMIT) !== 0) r.isTransmitInterruptPending = true;
    r.triggerLevel = isEnabled ? TRIGGER_LEVELS[(value >> B.FCR_TRIGGER_SHIFT) & 3]! : 1;
    this.#refill();
    this.#updateIrq();
  }

  // Status

  /** Reading clears the errors; an idle transmitter and a plain character are the common case. */
  #readLsr(): number {
    const first = this.#fifo[0];
    if (first === undefined) this.#idlePolls++;
    const status = first === undefined ? TRANSMITTER_IDLE : TRANSMITTER_IDLE | B.LSR_DATA_READY;
    if (!this.#r.isOverrun && this.#flawed === 0) return status;
    const value = status | (this.#r.isOverrun ? B.LSR_OVERRUN : 0) | ((first ?? 0) >> ERROR_SHIFT)
      | (this.#r.isFifoEnabled && this.#flawed > 0 ? B.LSR_FIFO_ERROR : 0);
    this.#r.isOverrun = false;
    if (first !== undefined && first > 0xff) {
      this.#fifo[0] = first & 0xff;
      this.#flawed--;
    }
    this.#updateIrq();
    return value;
  }

  #writeMcr(value: number): void {
    const wasLoopback = this.#isLoopback(), wasAwaiting = this.#awaitsInterrupt;
    this.#r.mcr = value;
    this.#noteListening(wasAwaiting);
    this.#setModemLines(this.#isLoopback() ? loopedModemLines(value) : MODEM_CONNECTED);
    if (wasLoopback && !this.#isLoopback()) this.#refill();
    this.#updateIrq();
  }

  /** Sets the four inputs and notes what changed; RI counts only when it falls. */
  #setModemLines(lines: number): void {
    const r = this.#r;
    const changed = (r.msr ^ lines) & 0xf0;
    let deltas = (changed >> 4) & ~B.MSR_TRAILING_RI;
    if ((changed & B.MSR_RI) !== 0 && (lines & B.MSR_RI) === 0) deltas |= B.MSR_TRAILING_RI;
    r.msr = lines | (r.msr & 0x0f) | deltas;
  }

  #readMsr(): number {
    const value = this.#r.msr;
    this.#r.msr &= 0xf0;
    this.#updateIrq();
    return value;
  }

  // Interrupts

  #readIir(): number {
    const id = this.#interruptId();
    if (id === B.IIR_TRANSMIT_EMPTY) {
      this.#r.isTransmitInterruptPending = false;
      this.#updateIrq();
    }
    return id | (this.#r.isFifoEnabled ? B.IIR_FIFO_ENABLED : 0);
  }

  /** PC16550D datasheet, Table III: sources in order of priority. */
  #interruptId(): number {
    const r = this.#r;
    const ier = r.ier;
    if (ier === 0) return B.IIR_NONE;
    const waiting = this.#fifo.length;
    if ((ier & B.IER_LINE_STATUS) !== 0 && (r.isOverrun || (waiting > 0 && this.#fifo[0]! > 0xff))) return B.IIR_LINE_STATUS;
    if ((ier & B.IER_RECEIVED) !== 0) {
      if (waiting >= r.triggerLevel) return B.IIR_RECEIVED;
      if (r.isTimedOut && waiting > 0) return B.IIR_TIMEOUT;
    }
    if ((ier & B.IER_TRANSMIT_EMPTY) !== 0 && r.isTransmitInterruptPending) return B.IIR_TRANSMIT_EMPTY;
    if ((ier & B.IER_MODEM_STATUS) !== 0 && (r.msr & 0x0f) !== 0) return B.IIR_MODEM_STATUS;
    return B.IIR_NONE;
  }

  #updateIrq(): void {
    this.#irq.set(this.#isConnected && this.#interruptId() !== B.IIR_NONE);
  }
}

/** In loopback the modem outputs drive the inputs: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD. */
function loopedModemLines(mcr: number): number {
  return ((mcr & B.MCR_RTS) !== 0 ? B.MSR_CTS : 0) | ((mcr & B.MCR_DTR) !== 0 ? B.MSR_DSR : 0)
    | ((mcr & B.MCR_OUT1) !== 0 ? B.MSR_RI : 0) | ((mcr & B.MCR_OUT2) !== 0 ? B.MSR_DCD : 0);
}
