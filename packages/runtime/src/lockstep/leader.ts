import { createBoard } from '@vmm/chipset';
import type { Board } from '@vmm/chipset';
import type { BootState, CpuModel, InterruptPort, TranslationContext, Translator, Vcpu } from '@vmm/cpu';
import { CountedTime, VirtualClock } from '@vmm/clock';
import { MachineMemory } from '@vmm/memory';
import { CountedLoopTime } from '../counted-loop-time.ts';
import { CRYSTAL_HZ, TSC_HZ } from '../machine-clock.ts';
import { repeatableRandom } from '../repeatable-random.ts';
import { bootMember, createMember } from './pair-member.ts';
import { Snapshot } from './snapshot.ts';
import { taped } from './tape.ts';
import type { InputTape, Surroundings } from './tape.ts';

/** Something that came from outside between two instructions. */
export interface Event { readonly at: Snapshot; /** Retired before it, since power-on. */ readonly instructions: number; readonly event: number | 'nmi' }

/** How a slice of the leader ended; everything but `running` ends the run. */
export type LeaderStatus = 'running' | 'poweroff' | 'reset' | 'shutdown' | 'halted' | 'exit';

export interface LeaderOptions {
  readonly memoryBytes: number;
  readonly romBytes: number;
  readonly model: CpuModel;
  readonly instructionsPerSecond: number;
  readonly tape: InputTape;
  readonly createTranslator: (context: TranslationContext) => Translator;
  readonly onSerial: (byte: number) => void;
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

/** A whole machine on a counted clock, run by the engine under test; whatever reaches its vCPU is recorded. */
export class Leader {
  readonly vcpu: Vcpu;
  readonly memory: MachineMemory;
  readonly surroundings: Surroundings;
  /** Interrupts of the last slice, in order. */
  readonly events: Event[] = [];
  readonly #board: Board;
  readonly #clock: VirtualClock;
  readonly #time: CountedLoopTime;
  #status: LeaderStatus = 'running';
  #input: Uint8Array = new Uint8Array(0);

  constructor(options: LeaderOptions) {
    const end = (status: LeaderStatus) => (): void => {
      this.#status = status;
      this.vcpu.requestStop();
    };
    // the board is made before the vCPU that its chips call back
    const instructions = (): number => (this.vcpu as Vcpu | undefined)?.instructions ?? 0;
    this.#time = new CountedLoopTime(new CountedTime(1e9 / options.instructionsPerSecond), instructions);
    this.#clock = new VirtualClock(this.#time.now, { onEarlierDeadline: () => { (this.vcpu as Vcpu | undefined)?.requestStop(); } });
    this.#board = createBoard({
      memoryBytes: options.memoryBytes, clock: this.#clock, lapicHz: CRYSTAL_HZ, tscToNs: (tsc) => tsc / TSC_HZ * 1e9, startUnixMs: EPOCH_MS,
      onAttention: () => { (this.vcpu as Vcpu | undefined)?.requestAttention(); },
      serial: { transmit: options.onSerial },
      onPowerOff: end('poweroff'), onReset: end('reset'), onDebugExit: end('exit'),
    });
    const live: Surroundings = {
      ports: this.#board.ports, mmio: this.#board.mmio, apic: this.#board.cpu, random: repeatableRandom(),
      clock: { tscHz: TSC_HZ, readTsc: () => BigInt(Math.floor(this.#clock.now())) },
    };
    this.surroundings = taped(live, options.tape);
    this.memory = new MachineMemory({ ramBytes: options.memoryBytes, vcpus: 1, romBytes: options.romBytes, mmio: this.surroundings.mmio });
    this.vcpu = createMember({ memory: this.memory, model: options.model, surroundings: this.surroundings, interrupts: this.#recordedInterrupts(), createTranslator: options.createTranslator });
  }

  boot(state: BootState): void { bootMember(this.vcpu, state); }

  /** What is typed into the guest's serial line, as fast as it takes it. */
  type(bytes: Uint8Array): void { this.#input = bytes; }

  #recordedInterrupts(): InterruptPort {
    const { cpu } = this.#board;
    const note = (event: number | 'nmi'): void => { this.events.push({ at: new Snapshot(this.vcpu.state), instructions: this.vcpu.instructions, event }); };
    return {
      pending: () => cpu.pending(),
      acknowledge: () => {
        const vector = cpu.acknowledge();
        if (vector >= 0) note(vector);
        return vector;
      },
      takeNmi: () => {
        const isNmi = cpu.takeNmi();
        if (isNmi) note('nmi');
        return isNmi;
      },
    };
  }

  /** Runs until the next timer at most. */
  slice(longest: number): LeaderStatus {
    this.events.length = 0;
    if (this.#input.length > 0 && this.#board.serial.isListening) this.#input = this.#input.subarray(this.#board.serial.receive(this.#input));
    this.#clock.runExpired();
    const result = this.vcpu.run(Math.min(longest, this.#time.sliceUntil(this.#clock.nextDeadline())));
    this.#time.spent();
    if (result === 'shutdown') this.#status = 'shutdown';
    if (result === 'halt' && this.#status === 'running') {
      const deadline = this.#clock.nextDeadline();
      if (deadline !== Infinity) this.#time.idle(deadline);
      else if (this.#input.length === 0 || !this.#board.serial.isListening) this.#status = 'halted';
    }
    return this.#status;
  }
}
