import type { WorkerDied } from '@vmm/bus/control';
import type { VmmError } from '@vmm/spec';

/** General registers, RIP, RFLAGS, segments and control registers as text, for people. */
export interface RegisterDump {
  readonly registers: Readonly<Record<string, string>>;
  /** `real`, `protected`, `virtual-8086`, `compatibility`, `long` … */
  readonly mode: string;
  /** The last instructions, oldest first, disassembled. */
  readonly recent: readonly string[];
}

export interface MachineState extends RegisterDump {
  readonly status: MachineStatus;
  readonly instructions: number;
  readonly virtualTimeNs: number;
  readonly counters: Readonly<Record<string, number>>;
}

export type MachineStatus = 'created' | 'running' | 'paused' | 'stopped';

/** How a machine ended. */
export type MachineExit =
  | { readonly reason: 'poweroff' }
  | { readonly reason: 'stopped' }
  | { readonly reason: 'reset' }
  /** The guest wrote v to the debug-exit port: `code` is (v << 1) | 1, as QEMU ends. */
  | { readonly reason: 'debug-exit'; readonly code: number }
  | { readonly reason: 'triple-fault'; readonly dump: RegisterDump }
  | { readonly reason: 'error'; readonly error: VmmError | Error };

export interface Progress {
  /** What is being waited for, as a phrase: `load the kernel`. */
  readonly phase: string;
  readonly ms: number;
}

export interface MachineEvents {
  /** The vCPU has begun to run. */
  readonly started: { readonly entry: string };
  readonly paused: undefined;
  readonly resumed: undefined;
  /** Bytes that the guest wrote to its first serial port. */
  readonly serial: Uint8Array;
  /** Bytes that the guest wrote to the debug console (port 0xE9). */
  readonly debug: Uint8Array;
  /** HLT with interrupts off: only a reset or an NMI ends it. */
  readonly halted: RegisterDump;
  /** Triple fault. The machine stops, or resets if it was told to. */
  readonly shutdown: RegisterDump;
  readonly reset: { readonly cause: string };
  /** A worker that the machine can do without has died; it goes on more slowly. */
  readonly degraded: WorkerDied;
  readonly poweroff: undefined;
  readonly progress: Progress;
  readonly error: VmmError | Error;
  /** The last event of a machine's life; `start()` cannot follow. */
  readonly exit: MachineExit;
}
