import type { GuestProfile } from './guest-profile.ts';
import type { WireError } from '@vmm/bus/control';
import type { Attention } from './engine.ts';
import type { MachineExit, MachineState, RegisterDump } from './machine-events.ts';
import type { MachineConfig } from './options.ts';
import type { MakerConfig } from '@vmm/translator';
import type { Port } from './translator-link.ts';

/** The rings of one device that runs elsewhere. */
export interface RemoteDeviceRings {
  readonly workerName: string;
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
  readonly irqs: SharedArrayBuffer;
  /** Control block of the device's worker, to wake it. */
  readonly control: SharedArrayBuffer;
}

/** How one end reaches the other: jobs through a ring of plane `translation`, what was made through a port that a shared word counts for. */
export interface TranslatorEnd {
  readonly requests: SharedArrayBuffer;
  /** See `MailCount`. */
  readonly mail: SharedArrayBuffer;
  readonly port: Port;
}

/** Control interface of a translator worker. */
export interface TranslatorControl {
  start(config: TranslatorEnd & { readonly maker: MakerConfig }): void;
}

/** Rings of a serial line as its device sees it. */
export interface ConsoleRings {
  readonly output: SharedArrayBuffer;
  readonly input: SharedArrayBuffer;
}

export interface VcpuConfig extends MachineConfig {
  readonly index: number;
  readonly control: SharedArrayBuffer;
  readonly serial: ConsoleRings;
  readonly debugOutput: SharedArrayBuffer;
  /** Present when at least one device is placed in the console worker. */
  readonly remote: RemoteDeviceRings | undefined;
  /** Present when regions are made in a worker. */
  readonly translator: TranslatorEnd | undefined;
}

/** What the worker reports on its own: control plane only, a few events a second at most. */
export type VcpuEvent =
  | { readonly kind: 'started'; readonly entry: string }
  | { readonly kind: 'halted'; readonly dump: RegisterDump }
  | { readonly kind: 'shutdown'; readonly dump: RegisterDump }
  | { readonly kind: 'reset'; readonly cause: string }
  | { readonly kind: 'poweroff' }
  | { readonly kind: 'progress'; readonly phase: string; readonly ms: number }
  | { readonly kind: 'exit'; readonly exit: Exclude<MachineExit, { reason: 'error' }> }
  | { readonly kind: 'failed'; readonly error: WireError };

/** Where machine memory is, for other workers and for attention. */
export interface VcpuReady {
  readonly memory: SharedArrayBuffer;
  readonly attention: Attention;
  /** What a translator worker must know; undefined if there is nothing to translate. */
  readonly maker: MakerConfig | undefined;
}

/** Control interface of a vCPU worker. Every call is announced in the control block once the loop runs. */
export interface VcpuControl {
  configure(config: VcpuConfig, report: (event: VcpuEvent) => void): VcpuReady;
  start(): void;
  pause(): void;
  resume(): void;
  reset(): void;
  state(): Omit<MachineState, 'status'>;
  profile(): GuestProfile;
}

/** Control interface of the console worker. */
export interface ConsoleControl {
  configure(config: ConsoleWorkerConfig): void;
  start(): void;
  pause(): void;
  resume(): void;
}

export interface ConsoleWorkerConfig {
  readonly placement: MachineConfig['placement'];
  readonly clockScale: number;
  readonly control: SharedArrayBuffer;
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
  readonly irqs: SharedArrayBuffer;
  /** The vCPU's control block and attention word, to wake it for an interrupt. */
  readonly vcpuControl: SharedArrayBuffer;
  readonly vcpu: VcpuReady;
  readonly serial: ConsoleRings;
  readonly debugOutput: SharedArrayBuffer;
}
