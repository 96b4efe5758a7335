import { createMachine, yieldCompilerThreads } from '@vmm/runtime';
import type { Machine, MachineExit, MachineOptions } from '@vmm/runtime';
import type { Config } from './config-schema.ts';
import { defined } from './config-file.ts';
import { KEYS_HELP } from './escape-keys.ts';
import type { KeyCommand } from './escape-keys.ts';
import { EXIT, exitCodeOfMachine } from './exit-code.ts';
import { findImage } from './image.ts';
import { MACHINE_NAME } from './machine-name.ts';
import { writeAll } from './output.ts';
import { OutputFile } from './output-file.ts';
import { ProgressLine } from './progress.ts';
import { describeProfile } from './profile-report.ts';
import { describeDump, describeError, describeStats } from './report.ts';
import { readSymbols } from './symbols.ts';
import type { SymbolTable } from './symbols.ts';
import { Terminal } from './terminal.ts';

export interface RunFlags {
  readonly json: boolean;
  readonly stats: boolean;
  /** undefined: shown when stderr is a terminal. */
  readonly progress: boolean | undefined;
  readonly offline: boolean;
  /** Where to write where the guest was; symbols: a file with names. */
  readonly profile: { readonly file: string; readonly symbols: string | undefined } | undefined;
}

const STDOUT = 1, STDERR = 2;
/** Functions of a profile that are shown at once; the file has all. */
const TOP_FUNCTIONS = 20;

/** One `vmm run`, from configuration to exit code. */
export class RunCommand {
  readonly #config: Config;
  readonly #flags: RunFlags;
  readonly #signal: AbortSignal;
  readonly #progress: ProgressLine;
  readonly #decoder = new TextDecoder();
  readonly #startedMs = performance.now();
  #code: number | undefined;
  #symbols: SymbolTable | undefined;
  readonly #profileFile: OutputFile | undefined;

  /** Aborting the signal stops whatever is going on; its reason is the exit code. */
  constructor(config: Config, flags: RunFlags, signal: AbortSignal) {
    this.#config = config;
    this.#flags = flags;
    this.#signal = signal;
    this.#profileFile = flags.profile === undefined ? undefined : new OutputFile('profile', flags.profile.file);
    const isTerminal = process.stderr.isTTY;
    this.#progress = new ProgressLine({ show: !flags.json && (flags.progress ?? isTerminal), isTerminal });
  }

  async run(): Promise<number> {
    try {
      return await this.#boot();
    } catch (error) {
      this.#progress.clear();
      if (this.#signal.aborted) return this.#signal.reason as number;
      throw error;
    }
  }

  async #boot(): Promise<number> {
    await this.#profileFile?.check();
    const image = await findImage(this.#config, {
      signal: this.#signal, offline: this.#flags.offline,
      progress: (message, fraction) => { this.#step(message, fraction); },
      notice: (message) => { this.#progress.clear(); this.#say(message); },
    });
    if (this.#flags.profile?.symbols !== undefined) this.#symbols = await readSymbols(this.#flags.profile.symbols);
    this.#signal.throwIfAborted();
    this.#step(`start ${image.title}`);
    yieldCompilerThreads();
    const machine = createMachine(this.#machineOptions(image.boot));
    const terminal = this.#attachTerminal(machine);
    const onAbort = (): void => { void machine.stop(); };
    this.#signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#listen(machine);
      await machine.start();
      this.#progress.done(`${image.title} runs${terminal.isInteractive ? '; Ctrl-A h for help, Ctrl-A x quits' : ''}`);
      if (!this.#signal.aborted) terminal.open();
      return await this.#finish(machine, await machine.exited);
    } finally {
      terminal.close();
      this.#signal.removeEventListener('abort', onAbort);
      await machine.close();
    }
  }

  #machineOptions(boot: MachineOptions['boot']): MachineOptions {
    const { memory, cpu, engine, clock, placement, translationCache, reboot, onTripleFault, entry } = this.#config;
    return { name: MACHINE_NAME, boot: { ...boot, ...defined({ entry }) }, ...defined({ memory, cpu, engine, clock, placement, translationCache, onTripleFault }), onReset: reboot === false ? 'stop' : 'reset', profile: this.#flags.profile !== undefined };
  }

  #listen(machine: Machine): void {
    const { events } = machine;
    events.on('serial', (data) => { this.#guestOutput(machine, data); });
    events.on('progress', ({ phase, ms }) => { this.#emit('progress', { phase, ms }); });
    events.on('started', ({ entry }) => { this.#emit('started', { entry }); });
    events.on('reset', ({ cause }) => { this.#emit('reset', { cause }); });
    events.on('poweroff', () => { this.#emit('poweroff', {}); });
    events.on('degraded', ({ message }) => {
      if (this.#flags.json) this.#emit('degraded', { message });
      else this.#say(`${message}; the guest goes on without it, more slowly`);
    });
    events.on('halted', (dump) => {
      this.#emit('halted', { dump });
      if (process.stdin.isTTY) this.#say('the guest halted with interrupts off: Ctrl-A x quits, Ctrl-A r resets');
      else this.#end(machine, EXIT.halted, `vmm: the guest halted for ever, with interrupts off\n${describeDump(dump)}`);
    });
  }

  #guestOutput(machine: Machine, data: Uint8Array): void {
    const isRead = this.#flags.json ? this.#emit('serial', { data: this.#decoder.decode(data, { stream: true }) }) : writeAll(STDOUT, data);
    if (!isRead) this.#end(machine, EXIT.brokenPipe);
  }

  #end(machine: Machine, code: number, message = ''): void {
    this.#code ??= code;
    if (!this.#flags.json) writeAll(STDERR, message);
    void machine.stop();
  }

  async #finish(machine: Machine, exit: MachineExit): Promise<number> {
    if (this.#flags.stats) await this.#printStats(machine);
    if (this.#profileFile !== undefined) await this.#writeProfile(machine, this.#profileFile);
    this.#emit('exit', exit.reason === 'error' ? { reason: 'error', message: exit.error.message } : exit);
    if (this.#signal.aborted) return this.#signal.reason as number;
    if (this.#code !== undefined) return this.#code;
    if (!this.#flags.json && exit.reason === 'triple-fault') {
      writeAll(STDERR, `\nvmm: the guest triple-faulted: it could not deliver an exception, nor the double fault\n  See where it was below; --triple-fault reset goes on.\n${describeDump(exit.dump)}`);
    }
    if (exit.reason === 'error') writeAll(STDERR, `\n${describeError(exit.error)}`);
    return exitCodeOfMachine(exit);
  }

  async #printStats(machine: Machine): Promise<void> {
    const state = await machine.state().catch(() => undefined);
    if (state === undefined) return;
    const { instructions, virtualTimeNs, counters } = state;
    if (!this.#emit('stats', { instructions, virtualTimeNs, counters })) return;
    if (!this.#flags.json) writeAll(STDERR, `\n${describeStats(state, performance.now() - this.#startedMs)}`);
  }

  async #writeProfile(machine: Machine, file: OutputFile): Promise<void> {
    const profile = await machine.profile().catch(() => undefined);
    if (profile === undefined) return;
    await file.write(describeProfile(profile, this.#symbols));
    if (!this.#flags.json) writeAll(STDERR, `\n${describeProfile(profile, this.#symbols, TOP_FUNCTIONS)}`);
  }

  #attachTerminal(machine: Machine): Terminal {
    return new Terminal({
      input: process.stdin,
      onInput: (bytes) => machine.serial.write(bytes),
      onCommand: (command) => { this.#onCommand(machine, command); },
    });
  }

  #onCommand(machine: Machine, command: KeyCommand): void {
    switch (command) {
      case 'quit': this.#end(machine, EXIT.ok); break;
      case 'help': this.#say(KEYS_HELP.join('\r\n')); break;
      case 'reset': void machine.reset(); break;
      case 'state':
        void machine.state().then((state) => { this.#say(`${describeDump(state)}${describeStats(state, performance.now() - this.#startedMs)}`.replaceAll('\n', '\r\n')); });
        break;
    }
  }

  /** A line to the user beside the guest's output; the terminal may be raw. */
  #say(message: string): void {
    if (!this.#flags.json) writeAll(STDERR, `\r\nvmm: ${message}\r\n`);
  }

  #step(message: string, fraction?: number): void {
    this.#progress.step(message, fraction);
    this.#emit('progress', { phase: message, ...(fraction === undefined ? {} : { fraction }) });
  }

  /** A JSON line when --json was given; false when nobody reads. */
  #emit(event: string, fields: object): boolean {
    return !this.#flags.json || writeAll(STDOUT, `${JSON.stringify({ event, ...fields })}\n`);
  }
}
