import type { Board } from '@vmm/chipset';
import type { VirtualClock } from '@vmm/clock';
import type { MachineMemory } from '@vmm/memory';
import type { CodePosition, GuestProfile } from './guest-profile.ts';
import type { RegisterDump } from './machine-events.ts';
import type { MachineConfig } from './options.ts';
import type { MakerConfig } from '@vmm/translator';
import type { RunnableVcpu } from './run-loop.ts';
import type { TranslatorEnd } from './vcpu-control.ts';

export interface Attention {
  readonly wordIndex: number;
  readonly bit: number;
}

/** One vCPU and what makes it boot: the seam between the machine and the engine that runs its guest. */
export interface Engine extends RunnableVcpu {
  /** Puts the image into memory and the vCPU at its entry; again after a reset. Answers the entry in words. Throws `VmmError`. */
  boot(): string;
  /** RFLAGS.IF. */
  readonly interruptsEnabled: boolean;
  /** The word in the Int32Array over machine memory, and its bit, that make `run` return: other threads set it. */
  readonly attention: Attention;
  /** An interrupt may wait now: look before the next block. */
  noteInterrupt(): void;
  dump(): RegisterDump;
  counters(): Readonly<Record<string, number>>;
  /** The machine ends. */
  finish?(): void;
  /** What a translator worker must know of it. */
  readonly maker?: MakerConfig | undefined;
  /** Something is on its way that only a turn of the event loop brings. */
  readonly needsTurn?: boolean;
  /** Where the guest is; undefined when it has halted. */
  position?(): CodePosition | undefined;
  /** Where SYSCALL and SYSENTER lead. */
  systemEntries?(): Pick<GuestProfile, 'syscallEntry' | 'sysenterEntry'>;
}

export interface EngineParts {
  readonly config: MachineConfig;
  readonly memory: MachineMemory;
  readonly board: Board;
  readonly clock: VirtualClock;
  /** Present when regions are made in a worker. */
  readonly translator: TranslatorEnd | undefined;
}

export type EngineFactory = (parts: EngineParts) => Engine;
