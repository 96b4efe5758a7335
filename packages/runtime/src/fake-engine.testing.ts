import { ACPI_PM, PORT, VmmError } from '@vmm/spec';
import type { Engine, EngineFactory } from './engine.ts';
import type { RunResult } from './run-loop.ts';

const LINE_STATUS = PORT.COM1 + 5, DATA_READY = 1;

/**
 * An engine whose "kernel" is a list of words: `print:TEXT`, `spin`, `idle` (HLT with interrupts on), `halt` (interrupts off), `triple`, `triple-once`,
 * `poweroff`, `reset-once`, `crash`, `echo` (sends back what is typed until `q`), `clear-fifo`, `timer` (waits for 5 PIT interrupts), `invalid`.
 */
export const createFakeEngine: EngineFactory = ({ config, memory, board }) => new FakeEngine(config.boot, memory, board);

type Parts = Parameters<EngineFactory>[0];

class FakeEngine implements Engine {
  instructions = 0;
  interruptsEnabled = true;
  readonly attention = { wordIndex: 0x400, bit: 2 };
  readonly #kernel: string;
  readonly #memory: Parts['memory'];
  readonly #board: Parts['board'];
  #words: string[] = [];
  #ticks = 0;
  #boots = 0;

  constructor(boot: Parts['config']['boot'], memory: Parts['memory'], board: Parts['board']) {
    this.#kernel = new TextDecoder().decode(boot.kernel);
    this.#memory = memory;
    this.#board = board;
  }

  noteInterrupt(): void { /* every run looks */ }

  boot(): string {
    this.#words = this.#kernel.split(' ');
    this.#boots++;
    this.#ticks = 0;
    if (this.#words[0] === 'invalid') throw new VmmError('IMAGE_INVALID', 'Cannot boot the kernel: it is only words', { hint: 'Give a bzImage.' });
    return 'fake entry';
  }

  run(maxInstructions: number): RunResult {
    const [verb, text] = (this.#words[0] ?? 'halt').split(':');
    switch (verb) {
      case 'print': this.#print(`${text}\n`); return this.#next();
      case 'spin': return this.#spin(maxInstructions);
      case 'idle': this.interruptsEnabled = true; return 'halt';
      case 'halt': this.interruptsEnabled = false; return 'halt';
      case 'triple': return 'shutdown';
      case 'triple-once': return this.#boots === 1 ? 'shutdown' : this.#next();
      case 'poweroff': this.#board.ports.write(ACPI_PM.BASE + ACPI_PM.PM1_CONTROL, 2, POWER_OFF); return this.#next();
      case 'reset-once': if (this.#boots === 1) this.#board.ports.write(PORT.RESET_CONTROL, 1, 6); return this.#next();
      case 'crash': throw new Error('the engine is on fire');
      case 'exit': process.exit(9);
       
      case 'clear-fifo': this.#board.ports.write(PORT.COM1 + 2, 1, 7); return this.#next();
      case 'echo': return this.#echo();
      case 'timer': return this.#timer();
      default: throw new Error(`no such word: ${verb}`);
    }
  }

  dump(): ReturnType<Engine['dump']> {
    return { registers: { rip: '0x1234' }, mode: 'fake', recent: ['0x1234  ud2'] };
  }

  counters(): Record<string, number> {
    return { boots: this.#boots };
  }

  #next(): RunResult {
    this.#words.shift();
    this.instructions++;
    return 'slice';
  }

  #spin(maxInstructions: number): RunResult {
    for (let i = 0; i < maxInstructions; i += 1000) {
      this.instructions += 1000;
      if (Atomics.exchange(this.#memory.i32, this.attention.wordIndex, 0) !== 0) return 'stopped';
    }
    return 'slice';
  }

  #echo(): RunResult {
    this.#board.ports.write(PORT.COM1 + 4, 1, 0x0b); // connect the interrupt
    this.#board.ports.write(PORT.COM1 + 1, 1, 1); // listen
    while ((this.#board.ports.read(LINE_STATUS, 1) & DATA_READY) !== 0) {
      const byte = this.#board.ports.read(PORT.COM1, 1);
      if (byte === 'q'.charCodeAt(0)) return this.#next();
      this.#board.ports.write(PORT.COM1, 1, byte);
    }
    return 'halt';
  }

  #timer(): RunResult {
    const { ports, cpu } = this.#board;
    if (this.#ticks === 0) {
      for (const [port, value] of TIMER_SETUP) ports.write(port, 1, value);
      this.#ticks = 1;
    }
    while (cpu.pending()) {
      cpu.acknowledge();
      ports.write(PORT.PIC_MASTER_COMMAND, 1, 0x20);
      this.#print(`tick${this.#ticks++}\n`);
    }
    return this.#ticks > 5 ? this.#next() : 'halt';
  }

  #print(text: string): void {
    for (const byte of new TextEncoder().encode(text)) this.#board.ports.write(PORT.COM1, 1, byte);
  }
}

/** SLP_TYP and SLP_EN. ACPI 6.5 §4.8.3.2.1 */
const POWER_OFF = ACPI_PM.S5_SLEEP_TYPE << 10 | 1 << 13;

/** PICs at vectors 0x20 and 0x28, IRQ 0 unmasked; PIT channel 0 every 10 ms. */
const TIMER_SETUP: readonly (readonly [number, number])[] = [
  [PORT.PIC_MASTER_COMMAND, 0x11], [PORT.PIC_MASTER_DATA, 0x20], [PORT.PIC_MASTER_DATA, 4], [PORT.PIC_MASTER_DATA, 1], [PORT.PIC_MASTER_DATA, 0xfe],
  [PORT.PIT_CONTROL, 0x34], [PORT.PIT_CHANNEL0, 0x9c], [PORT.PIT_CHANNEL0, 0x2e],
];
