import { MailCount } from '@vmm/bus';
import type { Mailbox } from '@vmm/bus';
import { codeSizeOf, cpuModel, PENDING, readFlags, Vcpu } from '@vmm/cpu';
import type { CpuModel, ModuleStore, TranslationContext } from '@vmm/cpu';
import { decode, formatInstruction, Instruction } from '@vmm/decoder';
import { FPU_CALLOUTS } from '@vmm/fpu';
import { EptMmu } from '@vmm/mmu-ept';
import { classOf, makerConfig, RegionTranslator, RemoteMaking, surroundings } from '@vmm/translator';
import type { MakerConfig, RegionMaking } from '@vmm/translator';
import { bootMachine } from './boot-image.ts';
import { TSC_HZ } from './machine-clock.ts';
import type { Engine, EngineFactory, EngineParts } from './engine.ts';
import type { CodePosition, GuestProfile } from './guest-profile.ts';
import type { RegisterDump } from './machine-events.ts';
import { repeatableRandom } from './repeatable-random.ts';
import type { RunResult } from './run-loop.ts';
import type { Port } from './translator-link.ts';
import type { TranslatorEnd } from './vcpu-control.ts';

const RFLAGS_IF = 0x200;

/** What a run leaves for the next one. */
export interface KeptFile { load(): Uint8Array | undefined; save(bytes: Uint8Array): void }

/** What the vCPU's worker has by its platform. */
export interface CpuEngineHost {
  /** The taker's end of a port. */
  readonly openMailbox: (port: Port, count: MailCount) => Mailbox;
  /** A file by its path, where there are files. Throws OPTION_INVALID. */
  readonly openFile?: (path: string) => KeptFile;
  /** See `VcpuOptions`. */
  readonly moduleStore?: ModuleStore | undefined;
}

/** Engine `bare`: the virtual CPU with nothing between it and the guest. */
export function cpuEngineFactory(host: CpuEngineHost): EngineFactory { return (parts) => new CpuEngine(parts, host); }

/** Instructions: a microsecond or so. Counted time stands still within a slice anyhow. */
const TSC_TOLERANCE = 256;

class CpuEngine implements Engine {
  readonly #vcpu: Vcpu;
  readonly #parts: EngineParts;
  readonly #model: CpuModel;
  readonly #instruction = new Instruction();

  readonly #mailbox: Mailbox | undefined;
  readonly #cache: KeptFile | undefined;
  #regions: RegionTranslator | undefined;
  maker: MakerConfig | undefined;

  constructor(parts: EngineParts, { openMailbox, openFile, moduleStore }: CpuEngineHost) {
    const { config, memory, board, clock, translator } = parts;
    this.#parts = parts;
    this.#cache = config.translationCache === undefined ? undefined : openFile?.(config.translationCache);
    const count = translator === undefined ? undefined : new MailCount(translator.mail);
    this.#mailbox = translator === undefined || count === undefined ? undefined : openMailbox(translator.port, count);
    this.#model = cpuModel(config.cpu);
    this.#vcpu = new Vcpu({
      memory, model: this.#model, ports: board.ports, interrupts: board.cpu, apic: board.cpu, raiseFpuError: board.raiseFpuError,
      clock: { tscHz: TSC_HZ, readTsc: () => BigInt(Math.floor(clock.now())), readTscNumber: () => Math.floor(clock.now()), toleranceInstructions: config.clock.kind === 'host' && config.clock.scale >= 1 ? TSC_TOLERANCE : 0 },
      createMmu: (context) => new EptMmu(context),
      callouts: FPU_CALLOUTS, moduleStore,
      ...(config.clock.kind === 'counted' ? { random: repeatableRandom() } : {}),
      ...(config.engine === 'interpreter' ? {} : { createTranslator: (context: TranslationContext) => this.#translator(context) }),
    });
  }

  #translator(context: TranslationContext): RegionTranslator {
    this.maker = makerConfig(context);
    const making = this.#remoteMaking(context, this.#parts.translator);
    return this.#regions = new RegionTranslator(context, { recipes: this.#cache?.load(), ...(making === undefined ? {} : { making }) });
  }
  #remoteMaking(context: TranslationContext, end: TranslatorEnd | undefined): RegionMaking | undefined {
    if (end === undefined || this.#mailbox === undefined) return undefined;
    const count = new MailCount(end.mail);
    return new RemoteMaking(surroundings(context), { requests: end.requests, mailbox: this.#mailbox, isDead: () => count.isClosed });
  }
  /** The run is over: what it has learned is kept for the next one. */
  finish(): void { if (this.#regions !== undefined) this.#cache?.save(this.#regions.recipes); }
  get needsTurn(): boolean { return this.#mailbox?.needsTurn ?? false; }

  get attention(): { readonly wordIndex: number; readonly bit: number } {
    return { wordIndex: this.#vcpu.pendingIndex, bit: PENDING.stop };
  }

  get instructions(): number {
    return this.#vcpu.instructions;
  }

  get interruptsEnabled(): boolean {
    return (readFlags(this.#vcpu.state) & RFLAGS_IF) !== 0;
  }

  /** An interrupt may wait: look at the next block, without leaving `run`. */
  noteInterrupt(): void {
    this.#vcpu.requestAttention();
  }

  boot(): string {
    const { state, entry } = bootMachine({ ...this.#parts, model: this.#model });
    this.#vcpu.reset();
    this.#vcpu.boot(state);
    return entry;
  }

  run(maxInstructions: number): RunResult {
    return this.#vcpu.run(maxInstructions);
  }

  dump(): RegisterDump {
    const dump = this.#vcpu.registers();
    const registers: Record<string, string> = { rip: hex(dump.rip), rflags: hex(dump.rflags), cpl: String(dump.cpl) };
    for (const [name, value] of [...Object.entries(dump.general), ...Object.entries(dump.control)]) registers[name] = hex(value);
    for (const [name, { selector, base, limit }] of Object.entries(dump.segments)) registers[name] = `${hex(selector)} ${hex(base)}+${hex(limit)}`;
    return { registers, mode: modeOf(dump), recent: [...this.#vcpu.recent(), ...this.#atRip(dump)] };
  }

  /** The instruction at rip, unless it cannot be fetched. */
  #atRip(dump: ReturnType<Vcpu['registers']>): string[] {
    const { memory } = this.#parts;
    const linear = BigInt.asUintN(64, dump.rip + (dump.segments['cs']?.base ?? 0n));
    const gpa = this.#vcpu.mmu.probe(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, EXECUTE);
    const available = gpa < 0 ? 0 : Math.min(LONGEST_INSTRUCTION, memory.ramBytes - gpa);
    if (available <= 0) return [];
    const bytes = memory.guest.readBytes(gpa, available);
    const instruction = new Instruction();
    const length = decode(bytes, 0, available, codeSizeOf(this.#vcpu.state.get('modeKey')), instruction);
    return length > 0 ? [`${dump.rip.toString(16)}: ${formatInstruction(instruction, { syntax: 'intel', address: dump.rip })}  <- rip`] : [];
  }

  position(): CodePosition | undefined {
    const { state, mmu } = this.#vcpu, { memory } = this.#parts;
    if (state.get('halted') !== 0) return undefined;
    const linear = BigInt.asUintN(64, state.big('rip') + state.big('segment', 2)), ring = state.get('cpl');
    const gpa = mmu.probe(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, EXECUTE);
    const available = gpa < 0 ? 0 : Math.min(LONGEST_INSTRUCTION, memory.ramBytes - gpa);
    const length = available <= 0 ? 0 : decode(memory.guest.view(gpa, available), 0, available, codeSizeOf(state.get('modeKey')), this.#instruction);
    return { linear, ring, kind: length > 0 ? classOf(this.#instruction) : undefined };
  }

  systemEntries(): Pick<GuestProfile, 'syscallEntry' | 'sysenterEntry'> {
    const { state } = this.#vcpu;
    return { syscallEntry: state.big('lstar'), sysenterEntry: state.big('sysenterEip') };
  }

  counters(): Readonly<Record<string, number>> {
    const callouts = this.#vcpu.callouts().map(([name, count]): [string, number] => [`${CALLOUT_PREFIX}${name}`, count]);
    return { ...this.#vcpu.counters(), ...Object.fromEntries(callouts) };
  }
}

function hex(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

const EXECUTE = 2, LONGEST_INSTRUCTION = 15;
/** Counters of calls from generated code into TypeScript, by what was called. */
const CALLOUT_PREFIX = 'callout ';
const CR0_PE = 1n, EFER_LMA = 0x400n, RFLAGS_VM = 0x2_0000, CS_LONG = 0x2000;

function modeOf(dump: ReturnType<Vcpu['registers']>): string {
  const { control, rflags, segments } = dump;
  if (((control['cr0'] ?? 0n) & CR0_PE) === 0n) return 'real';
  if ((rflags & RFLAGS_VM) !== 0) return 'virtual-8086';
  if (((control['efer'] ?? 0n) & EFER_LMA) === 0n) return 'protected';
  return ((segments['cs']?.attributes ?? 0) & CS_LONG) === 0 ? 'compatibility' : 'long';
}
