import { formatRegisters, MODE } from '@vmm/cpu';
import type { CpuModel, TranslationContext, Translator, Vcpu } from '@vmm/cpu';
import type { MachineMemory } from '@vmm/memory';
import { PAGE } from '@vmm/memory';
import type { TranslatorOptions } from '@vmm/translator';
import { Follower } from './follower.ts';
import type { Miss } from './follower.ts';
import type { Event } from './leader.ts';
import { createMember, ScriptedInterrupts } from './pair-member.ts';
import { describePage, differingPages } from './ram.ts';
import type { RamCopy } from './ram.ts';
import { Snapshot } from './snapshot.ts';
import type { Difference } from './snapshot.ts';
import { InputMismatch, taped } from './tape.ts';
import type { InputTape, Surroundings, TapeReader } from './tape.ts';

/** Where the engines part, found by running again from the last good state. */
export interface Culprit {
  /** The first instruction that is wrong when it is translated by itself; undefined: each is right alone, and together they are not. */
  readonly instruction: string | undefined;
  /** The stretch that one pass of translated code covered, as the interpreter ran it. */
  readonly stretch: readonly string[];
  /** Registers before it. */
  readonly before: readonly string[];
  /** First value: the engine under test. */
  readonly differences: readonly Difference[];
  readonly memory: readonly string[];
}

export interface Scene {
  readonly model: CpuModel;
  /** Of the engine under test and of the interpreter; overwritten. */
  readonly memories: readonly [MachineMemory, MachineMemory];
  readonly ram: RamCopy;
  readonly state: Snapshot;
  /** Retired in that state. */
  readonly instructions: number;
  /** Retired when the difference was seen. */
  readonly lastInstruction: number;
  readonly surroundings: Surroundings;
  readonly tape: InputTape;
  readonly events: readonly Event[];
  /** Guest pages that came to differ: looked at after each pass. */
  readonly pages: readonly number[];
  readonly createTranslator: (context: TranslationContext, options?: TranslatorOptions) => Translator;
}

const MOST_PASSES = 4_000_000;
/** Code is translated at other moments than the first time: what went wrong there may do so a little later here. */
const OVERTIME = 200_000;
const MOST_STRETCH = 400;
/** Translates whatever has run twice, at once. */
const EAGER: TranslatorOptions = { hotThreshold: 2, batchSize: 1, batchDelayMs: 0 };
/** What is as hot as it must be in a machine: longer regions, shaped by what has run. */
const USUAL: TranslatorOptions = { batchSize: 1, batchDelayMs: 0 };
const ON_REQUEST: TranslatorOptions = { hotThreshold: 0x3fff_ffff, batchSize: 1, batchDelayMs: 0 };
const EXECUTE = 2;

export function findCulprit(scene: Scene): Culprit | undefined {
  return findWith(scene, EAGER) ?? findWith(scene, USUAL);
}

function findWith(scene: Scene, tuning: TranslatorOptions): Culprit | undefined {
  const first = new Rerun(scene, (context) => scene.createTranslator(context, tuning)), pass = first.firstBadPass();
  if (pass === undefined) return undefined;
  const translators: Translator[] = [];
  let left = 0;
  const rerun = new Rerun(scene, (context) => scene.createTranslator(context, tuning));
  for (let i = 0; i < pass; i++) rerun.pass();
  rerun.replaceEngine((context) => {
    const translator = scene.createTranslator(limited(context, () => left-- > 0), ON_REQUEST);
    translators.push(translator);
    return translator;
  });
  return rerun.search(first.miss, (host) => {
    const translator = translators.at(-1);
    const before = translator?.counters['regions'];
    left = 1;
    translator?.request(host);
    translator?.poll();
    left = 0;
    return translator?.counters['regions'] !== before;
  });
}

/** A block cache whose instructions mean nothing to the translator unless `allows` says so. */
function limited(context: TranslationContext, allows: () => boolean): TranslationContext {
  const { blocks } = context;
  const lower: typeof blocks.lower = (inst, modeKey) => {
    const known = blocks.lower(inst, modeKey);
    if (allows()) return known;
    return { entry: { ends: true, run: () => { throw new Error('left to the interpreter'); } }, form: { ...known.form, mnemonic: `(${known.form.mnemonic})` } };
  };
  return {
    ...context,
    tryFetch: (lo, hi) => context.tryFetch(lo, hi),
    blocks: new Proxy(blocks, {
      get: (target, name) => {
        if (name === 'lower') return lower;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    }),
  };
}

/** Both engines again from the last good state, one pass of translated code at a time. */
class Rerun {
  readonly #scene: Scene;
  readonly #readers: readonly [TapeReader, TapeReader];
  readonly #pins = [new ScriptedInterrupts(), new ScriptedInterrupts()] as const;
  readonly #follower: Follower;
  #engine: Vcpu;
  #nextEvent = 0;
  /** Why the last pass was bad. */
  miss: Miss | undefined;

  constructor(scene: Scene, createTranslator: (context: TranslationContext) => Translator) {
    this.#scene = scene;
    this.#readers = [scene.tape.reader(), scene.tape.reader()];
    for (const memory of scene.memories) {
      scene.ram.putInto(memory);
      for (let page = 0; page < memory.ramPages; page++) memory.clearAttribute(memory.ramBase + page * 4096, PAGE.CODE);
    }
    this.#engine = this.#member(0, scene.state, scene.instructions, createTranslator);
    this.#follower = new Follower(this.#member(1, scene.state, scene.instructions), this.#pins[1]);
  }

  #member(side: 0 | 1, state: Snapshot, instructions: number, createTranslator?: (context: TranslationContext) => Translator): Vcpu {
    const { model, memories } = this.#scene;
    const surroundings = taped(this.#scene.surroundings, this.#readers[side]);
    memories[side].mmio.bus = surroundings.mmio;
    const vcpu = createMember({ memory: memories[side], model, surroundings, interrupts: this.#pins[side], ...(createTranslator === undefined ? {} : { createTranslator }) });
    place(vcpu, state);
    vcpu.instructions = instructions;
    return vcpu;
  }

  /** Number of the first pass after which the interpreter cannot come to where the engine is. */
  firstBadPass(): number | undefined {
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      const outcome = this.pass();
      if (outcome === 'bad') return pass;
      if (outcome === 'end') return undefined;
    }
    return undefined;
  }

  pass(): 'good' | 'bad' | 'end' {
    const { events, memories, pages } = this.#scene;
    const { state } = this.#follower.vcpu;
    const isDue = (event: Event | undefined): event is Event => event !== undefined && event.instructions === this.#engine.instructions && event.at.isAt(state) && event.at.differences(state).length === 0;
    for (let event = events[this.#nextEvent]; isDue(event); event = events[this.#nextEvent]) {
      this.#follower.deliver(event.event);
      this.#pins[0].raise(event.event);
      this.#engine.run(0);
      this.#nextEvent++;
    }
    if (state.get('halted') !== 0 || this.#engine.instructions > this.#scene.lastInstruction + OVERTIME) return 'end';
    try {
      this.#engine.run(1);
    } catch (error) {
      if (!(error instanceof InputMismatch)) throw error;
      return error.isAfterEnd ? 'end' : 'bad';
    }
    const event = events[this.#nextEvent];
    if (event !== undefined && event.instructions < this.#engine.instructions) {
      if (this.#follower.follow(event.at, event.instructions) !== undefined) return 'bad';
      this.#copyFollower();
      return 'good';
    }
    const miss = this.#follower.follow(new Snapshot(this.#engine.state), this.#engine.instructions);
    this.miss = miss;
    if (miss !== undefined) return miss.isAfterEnd === true ? 'end' : 'bad';
    return pages.length > 0 && differingPages(memories[0], memories[1], pages).length > 0 ? 'bad' : 'good';
  }

  /** An interrupt came in the middle of the pass: the engine goes on from where the interpreter took it. */
  #copyFollower(): void {
    const [to, from] = this.#scene.memories;
    for (const page of differingPages(to, from)) to.guest.writeBytes(page * 4096, from.guest.readBytes(page * 4096, 4096));
    place(this.#engine, new Snapshot(this.#follower.vcpu.state));
    this.#engine.instructions = this.#follower.instructions;
    this.#readers[0].position = this.#readers[1].position;
  }

  /** Goes on with a new engine under test. */
  replaceEngine(createTranslator: (context: TranslationContext) => Translator): void {
    this.#engine = this.#member(0, new Snapshot(this.#follower.vcpu.state), this.#follower.instructions, createTranslator);
  }

  /** Every instruction of the stretch translated by itself. */
  search(miss: Miss | undefined, translate: (host: number) => boolean): Culprit {
    const stretch: string[] = [], { memories } = this.#scene;
    const entry = formatRegisters(this.#engine.registers());
    for (let i = 0; i < MOST_STRETCH; i++) {
      const { state } = this.#engine;
      const line = this.#follower.disassemble(state.lo('rip'), state.hi('rip'));
      stretch.push(line);
      const before = formatRegisters(this.#engine.registers());
      const failure = this.#tryAlone(line, translate);
      if (failure === 'end') break;
      const differences = failure ?? new Snapshot(state).differences(this.#follower.vcpu.state);
      const pages = i % 16 === 0 || differences.length > 0 || /\[/.test(line) ? differingPages(memories[0], memories[1]) : [];
      if (differences.length > 0 || pages.length > 0) {
        return { instruction: line, stretch: stretch.slice(-24), before, differences, memory: pages.slice(0, 2).flatMap((page) => describePage(memories[0], memories[1], page)) };
      }
    }
    return { instruction: undefined, stretch: miss?.recent ?? stretch.slice(0, 64), before: entry, differences: miss?.differences ?? [], memory: [] };
  }

  #tryAlone(line: string, translate: (host: number) => boolean): Difference[] | 'end' | undefined {
    const { state, mmu } = this.#engine;
    const linear = BigInt.asUintN(64, state.big('rip') + state.big('segment', 2));
    const isRepeated = / rep/.test(line);
    const host = isRepeated || mmu.probe(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, EXECUTE) < 0
      ? 0 : mmu.access(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, 1, EXECUTE);
    const isTranslated = host !== 0 && translate(host);
    try {
      if (!isTranslated) state.set('modeKey', state.get('modeKey') | MODE.SINGLE_STEP);
      this.#engine.run(1);
      if (!this.#follower.step()) return 'end';
    } catch (error) {
      if (error instanceof InputMismatch) return 'end';
      throw error;
    }
    return undefined;
  }
}

/** Puts a new vCPU, or one that has run on, at a state. */
function place(vcpu: Vcpu, state: Snapshot): void {
  state.restoreTo(vcpu.state);
  vcpu.cpu.linearWidthChanged();
  vcpu.mmu.controlChanged();
}
