import { cpuModel } from '@vmm/cpu';
import type { CpuModel, TranslationContext, Translator, Vcpu } from '@vmm/cpu';
import { MachineMemory } from '@vmm/memory';
import { RegionTranslator } from '@vmm/translator';
import type { TranslatorOptions } from '@vmm/translator';
import { bootMachine } from '../boot-image.ts';
import { CPU_MODEL_NAMES } from '../cpu-models.ts';
import { resolveOptions } from '../options.ts';
import type { MachineOptions } from '../options.ts';
import { findCulprit } from './culprit.ts';
import type { Culprit } from './culprit.ts';
import { Follower } from './follower.ts';
import type { Miss } from './follower.ts';
import { Leader } from './leader.ts';
import type { Event, LeaderStatus } from './leader.ts';
import { bootMember, createMember, ScriptedInterrupts } from './pair-member.ts';
import { describePage, differingPages, RamCopy } from './ram.ts';
import { Snapshot } from './snapshot.ts';
import { InputTape, taped } from './tape.ts';
import type { TapeReader } from './tape.ts';

export interface LockstepOptions extends Pick<MachineOptions, 'boot' | 'memory' | 'cpu'> {
  /** Registers are compared at least this often. Default 5,000 instructions. */
  readonly everyInstructions?: number;
  /** Memory is compared this often, and a copy kept to search a divergence from. Default 5,000,000 instructions. */
  readonly memoryEvery?: number;
  /** The guest's speed in virtual time. Default 10⁸. */
  readonly instructionsPerSecond?: number;
  /** Typed into the guest's serial line. */
  readonly input?: string;
  readonly onSerial?: (byte: number) => void;
  /** The engine under test. Default: the translator as machines use it. */
  readonly createTranslator?: (context: TranslationContext, options?: TranslatorOptions) => Translator;
}

export interface Divergence extends Miss {
  /** Instructions that the engine under test had retired. */
  readonly instructions: number;
  /** Words of memory that differ, when registers do not. */
  readonly memory: readonly string[];
  /** The first wrong instruction, when running again from the last good state finds it. */
  readonly culprit: Culprit | undefined;
}

export interface LockstepCounters {
  instructions: number;
  /** Places at which all registers were compared, and memory. */
  comparisons: number;
  memoryComparisons: number;
  interrupts: number;
  inputs: number;
}

const ROM_BYTES = 0x10_0000;

/**
 * One guest on two engines. The translator's machine runs freely and everything that reaches its vCPU from outside is recorded; the interpreter
 * follows with the same inputs and interrupts. Wherever the translator stops, the interpreter must be after as many instructions.
 */
export class Lockstep {
  readonly counters: LockstepCounters = { instructions: 0, comparisons: 0, memoryComparisons: 0, interrupts: 0, inputs: 0 };
  readonly #options: Required<Pick<LockstepOptions, 'everyInstructions' | 'memoryEvery'>>;
  readonly #model: CpuModel;
  readonly #tape = new InputTape();
  readonly #reader: TapeReader = this.#tape.reader();
  readonly #createTranslator: (context: TranslationContext, options?: TranslatorOptions) => Translator;
  readonly #leader: Leader;
  readonly #follower: Follower;
  readonly #memory: MachineMemory;
  /** The last state in which registers and memory were equal, and the interrupts since. */
  readonly #goodRam: RamCopy;
  #goodState: Snapshot;
  #events: Event[] = [];
  #goodInstructions = 0;

  constructor(options: LockstepOptions) {
    const { boot, memory, cpu, everyInstructions = 5000, memoryEvery = 5_000_000 } = options;
    this.#options = { everyInstructions, memoryEvery };
    const config = resolveOptions({ boot, name: 'lock-step', clock: { instructionsPerSecond: options.instructionsPerSecond ?? 1e8 }, ...(memory === undefined ? {} : { memory }), ...(cpu === undefined ? {} : { cpu }) }, 1, CPU_MODEL_NAMES);
    this.#createTranslator = options.createTranslator ?? ((context, tuning) => new RegionTranslator(context, tuning));
    const model = this.#model = cpuModel(config.cpu);
    this.#leader = new Leader({
      memoryBytes: config.memoryBytes, romBytes: ROM_BYTES, model, tape: this.#tape, instructionsPerSecond: options.instructionsPerSecond ?? 1e8,
      createTranslator: this.#createTranslator, onSerial: options.onSerial ?? (() => {}),
    });
    if (options.input !== undefined) this.#leader.type(new TextEncoder().encode(options.input));
    const surroundings = taped(this.#leader.surroundings, this.#reader);
    this.#memory = new MachineMemory({ ramBytes: config.memoryBytes, vcpus: 1, romBytes: ROM_BYTES, mmio: surroundings.mmio });
    const interrupts = new ScriptedInterrupts();
    this.#follower = new Follower(createMember({ memory: this.#memory, model, surroundings, interrupts }), interrupts);
    this.#boot(config, this.#leader.memory, this.#leader.vcpu);
    this.#boot(config, this.#memory, this.#follower.vcpu);
    this.#goodRam = new RamCopy(this.#memory);
    this.#goodState = new Snapshot(this.#follower.vcpu.state);
  }

  #boot(config: ReturnType<typeof resolveOptions>, memory: MachineMemory, vcpu: Vcpu): void {
    const { state } = bootMachine({ config, memory, model: this.#model });
    bootMember(vcpu, state);
  }

  /** Runs a slice of the guest on both engines. */
  step(): LeaderStatus | Divergence {
    const leader = this.#leader;
    const status = leader.slice(this.#options.everyInstructions);
    const { instructions } = leader.vcpu;
    this.counters.instructions = instructions;
    this.counters.inputs = this.#tape.recorded;
    this.#events.push(...leader.events);
    for (const { at, instructions: when, event } of leader.events) {
      const miss = this.#follow(at, when);
      if (miss !== undefined) return this.#divergence(miss);
      this.#follower.deliver(event);
      this.counters.interrupts++;
    }
    const miss = this.#follow(new Snapshot(leader.vcpu.state), instructions);
    if (miss !== undefined) return this.#divergence(miss);
    if (instructions - this.#goodInstructions < this.#options.memoryEvery && status === 'running') return status;
    return this.#compareMemory() ?? status;
  }

  #follow(target: Snapshot, instructions: number): Miss | undefined {
    this.counters.comparisons++;
    return this.#follower.follow(target, instructions);
  }

  #compareMemory(): Divergence | undefined {
    this.counters.memoryComparisons++;
    const recent = this.#follower.recent(), { missing } = this.#reader;
    if (missing !== undefined) return this.#divergence({ reason: `the interpreter did not make access ${missing}`, differences: [], recent });
    const pages = differingPages(this.#leader.memory, this.#memory);
    if (pages.length > 0) return this.#divergence({ reason: 'the engines left different memory', differences: [], recent }, pages);
    this.#goodRam.take(this.#memory);
    this.#goodState = new Snapshot(this.#follower.vcpu.state);
    this.#goodInstructions = this.#leader.vcpu.instructions;
    this.#events = [];
    this.#tape.clear();
    this.#reader.position = 0;
    return undefined;
  }

  #divergence(miss: Miss, pages: readonly number[] = []): Divergence {
    const memory = pages.slice(0, 4).flatMap((page) => describePage(this.#leader.memory, this.#memory, page));
    const { instructions } = this.#leader.vcpu;
    const culprit = findCulprit({
      model: this.#model, memories: [this.#leader.memory, this.#memory], ram: this.#goodRam, state: this.#goodState, instructions: this.#goodInstructions, lastInstruction: instructions, surroundings: this.#leader.surroundings,
      tape: this.#tape, events: this.#events, pages, createTranslator: this.#createTranslator,
    });
    return { ...miss, memory, instructions, culprit };
  }
}
