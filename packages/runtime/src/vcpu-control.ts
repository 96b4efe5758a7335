import type { GuestProfile } from './guest-profile.ts';
import type { WireError } from '@vmm/bus/control';
import type { Attention } from './engine.ts';
import type { MachineExit, MachineState, RegisterDump } from './machine-events.ts';
import type { MachineConfig } from './options.ts';

/** The rings of one device that runs elsewhere. */
export interface RemoteDeviceRings {
  readonly workerName: string;
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
  readonly irqs: SharedArrayBuffer;
  /** Control block of the device's worker, to wake it. */
  readonly control: SharedArrayBuffer;
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
