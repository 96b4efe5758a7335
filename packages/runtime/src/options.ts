import { cpuModel } from '@vmm/cpu/models';
import { VmmError } from '@vmm/spec';
import { GIB, MIB, formatSize, parseSize } from './size.ts';

/** What may live in the vCPU's worker or in another: devices in the console worker, the making of translated code in the translator worker. */
export const PLACEABLE = ['serial', 'debugConsole', 'translator'] as const;
export type Placeable = (typeof PLACEABLE)[number];
export type Place = 'vcpu' | 'worker';
export type Placement = Readonly<Record<Placeable, Place>>;

/** `bare`: the virtual CPU itself, hot code translated. `interpreter`: the same without translation. */
export const ENGINES = ['bare', 'interpreter'] as const;
export type EngineName = (typeof ENGINES)[number];

export const MIN_MEMORY_BYTES = 4 * MIB;
export const MAX_MEMORY_BYTES = 3 * GIB;

/** What the machine starts with. Bytes are copied, and stay the caller's, unless they lie in shared memory already: those must not change any more. */
export interface LinuxBoot {
  /** bzImage, ELF with a PVH note, or multiboot 1 image. */
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
  /** Which entry of a bzImage: 64-bit mode, 32-bit protected mode or the real-mode set-up code. Default: its own width. */
  readonly entry?: 16 | 32 | 64;
}

export interface MachineOptions {
  /** For messages and worker names. Default `vm1`, `vm2` … */
  readonly name?: string;
  /** Bytes, or text such as `'256M'`; 4 MiB to 3 GiB, whole pages. Default 256 MiB. */
  readonly memory?: number | string;
  /** CPU model by name. Default `default`. */
  readonly cpu?: string;
  readonly boot: LinuxBoot;
  /** `host`: real time. `{ scale }`: real time, faster or slower. `{ instructionsPerSecond }`: counted, so that runs repeat. Default `host`. */
  readonly clock?: 'host' | { readonly scale: number } | { readonly instructionsPerSecond: number };
  /** What runs where. `auto`: the translator and the serial line get workers when the host has at least four cores. Default `auto`. */
  readonly placement?: 'auto' | Partial<Placement>;
  /** How the guest is run. Default `bare`: the virtual CPU itself, no VMM between. */
  readonly engine?: EngineName;
  /** What a triple fault does. Default `stop`. */
  readonly onTripleFault?: 'stop' | 'reset';
  /** What a reset asked by the guest does. Default `reset`. */
  readonly onReset?: 'reset' | 'stop';
  /**
   * A file, in Node: which code became hot in earlier runs, of this and other guests. Such code is translated as soon as it runs again, from what is in the guest's
   * memory then: what the file says can cost time, never correctness. Written when the machine ends. Default: none.
   */
  readonly translationCache?: string;
  /** Sample where the guest is, for `profile()`. Default false. */
  readonly profile?: boolean;
}

export type ClockConfig =
  | { readonly kind: 'host'; readonly scale: number }
  | { readonly kind: 'counted'; readonly instructionsPerSecond: number };

/** Options after validation: complete and structured-cloneable. */
export interface MachineConfig {
  readonly name: string;
  readonly memoryBytes: number;
  readonly cpu: string;
  readonly boot: { readonly kernel: Uint8Array; readonly initrd: Uint8Array | undefined; readonly commandLine: string; readonly entry: LinuxBoot['entry'] };
  readonly clock: ClockConfig;
  readonly placement: Placement;
  readonly engine: EngineName;
  readonly onTripleFault: 'stop' | 'reset';
  readonly onReset: 'reset' | 'stop';
  readonly translationCache: string | undefined;
  readonly profile: boolean;
}

const KNOWN = new Set(['name', 'memory', 'cpu', 'boot', 'clock', 'placement', 'engine', 'onTripleFault', 'onReset', 'translationCache', 'profile']);
let machineCount = 0;

function invalid(message: string, hint: string): VmmError {
  return new VmmError('OPTION_INVALID', message, { hint });
}

/** Completes the options, or throws `VmmError` OPTION_INVALID / MEMORY_INVALID. `cores`: how many the host has. */
export function resolveOptions(options: MachineOptions, cores: number, cpuModels: readonly string[]): MachineConfig {
  for (const key of Object.keys(options)) {
    if (!KNOWN.has(key)) throw invalid(`Cannot use option "${key}"`, `Options are: ${[...KNOWN].join(', ')}.`);
  }
  const clock = resolveClock(options.clock ?? 'host');
  return {
    name: options.name ?? `vm${++machineCount}`,
    memoryBytes: resolveMemory(options.memory ?? 256 * MIB),
    cpu: resolveCpu(options.cpu ?? cpuModels[0] ?? 'default', cpuModels),
    boot: resolveBoot(options.boot),
    clock,
    placement: resolvePlacement(options.placement ?? 'auto', cores, clock),
    engine: oneOf('engine', options.engine ?? 'bare', ENGINES),
    onTripleFault: oneOf('onTripleFault', options.onTripleFault ?? 'stop', ['stop', 'reset'] as const),
    onReset: oneOf('onReset', options.onReset ?? 'reset', ['reset', 'stop'] as const),
    translationCache: options.translationCache,
    profile: options.profile ?? false,
  };
}

/** A model, and features to add or take away behind commas; which features there are is the model's to say. */
function resolveCpu(cpu: string, models: readonly string[]): string {
  const [name = '', ...changes] = cpu.split(',');
  oneOf('cpu', name, models);
  if (changes.length > 0) cpuModel(cpu);
  return cpu;
}

function oneOf<T extends string>(what: string, value: T, known: readonly T[]): T {
  if (known.includes(value)) return value;
  throw invalid(`Cannot use ${what} "${value}"`, `Choose one of: ${known.join(', ')}.`);
}

export function resolveMemory(memory: number | string): number {
  const bytes = typeof memory === 'string' ? parseSize(memory) : memory;
  const range = `${formatSize(MIN_MEMORY_BYTES)} to ${formatSize(MAX_MEMORY_BYTES)}`;
  if (!(bytes >= MIN_MEMORY_BYTES && bytes <= MAX_MEMORY_BYTES)) {
    throw new VmmError('MEMORY_INVALID', `Cannot give the guest ${formatSize(bytes)} of memory`, { hint: `Choose ${range}.` });
  }
  if (bytes % 4096 === 0) return bytes;
  throw new VmmError('MEMORY_INVALID', `Cannot give the guest ${bytes} bytes of memory`, { hint: 'Choose a multiple of 4 KiB.' });
}

function resolveBoot(boot: LinuxBoot | undefined): MachineConfig['boot'] {
  if (!(boot?.kernel instanceof Uint8Array)) throw invalid('Cannot boot without a kernel', 'Give boot: { kernel: bytes }.');
  const { kernel, initrd, commandLine = '', entry } = boot;
  if (entry !== undefined && ![16, 32, 64].includes(entry)) throw invalid(`Cannot enter the kernel in ${String(entry)} bits`, 'Give boot.entry: 16, 32 or 64.');
  return { kernel: shared(kernel), initrd: initrd === undefined ? undefined : shared(initrd), commandLine, entry };
}

/** In memory that the machine's worker sees too: one copy, not one each. */
function shared(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function resolveClock(clock: NonNullable<MachineOptions['clock']>): ClockConfig {
  if (clock === 'host') return { kind: 'host', scale: 1 };
  if ('scale' in clock && clock.scale > 0 && clock.scale <= 1000) return { kind: 'host', scale: clock.scale };
  if ('instructionsPerSecond' in clock && clock.instructionsPerSecond >= 1e6 && clock.instructionsPerSecond <= 1e10) {
    return { kind: 'counted', instructionsPerSecond: clock.instructionsPerSecond };
  }
  throw invalid(`Cannot run the clock as ${JSON.stringify(clock)}`, 'Use "host", { scale: up to 1000 } or { instructionsPerSecond: 1e6 to 1e10 }.');
}

function resolvePlacement(placement: NonNullable<MachineOptions['placement']>, cores: number, clock: ClockConfig): Placement {
  // with two cores the engine's own compiler threads have the second one
  const automatic: Place = cores >= 4 && clock.kind === 'host' ? 'worker' : 'vcpu';
  if (placement === 'auto') return { serial: automatic, debugConsole: 'vcpu', translator: automatic };
  for (const [what, place] of Object.entries(placement)) {
    oneOf('placement of', what as Placeable, PLACEABLE);
    oneOf(`placement.${what}`, place, ['vcpu', 'worker'] as const);
    if (place === 'worker' && clock.kind === 'counted') {
      throw invalid(`Cannot put ${what} into a worker with a counted clock`, 'A counted run repeats only when everything is in the vCPU\'s worker.');
    }
  }
  return { serial: placement.serial ?? 'vcpu', debugConsole: placement.debugConsole ?? 'vcpu', translator: placement.translator ?? automatic };
}
