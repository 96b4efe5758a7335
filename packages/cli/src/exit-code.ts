import { VmmError } from '@vmm/spec';
import type { MachineExit } from '@vmm/runtime';

/** Exit codes of `vmm run`: stable, printed by --help and in the README. */
export const EXIT = {
  ok: 0,
  usage: 2,
  image: 3,
  tripleFault: 4,
  internal: 5,
  guestUnavailable: 6,
  halted: 7,
  diverged: 8,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

export const EXIT_CODE_HELP = `Exit codes:
  0    the guest powered off, or reset with --no-reboot, or you quit with Ctrl-A x
  2    wrong usage: an option, its value, or the configuration file
  3    the kernel or the initial RAM disk cannot be read, or is not one the machine can boot
  4    the guest triple-faulted (reason, registers and last instructions are printed)
  5    a worker of the machine died, or a bug in vmm
  6    the guest's files cannot be obtained
  7    the guest halted for ever: HLT with interrupts off
  8    vmm lockstep: the engines differ
  130  SIGINT (Ctrl-C outside the guest)   143  SIGTERM   141  nobody reads our output any more
  else the guest wrote v to the debug-exit port: (v << 1) | 1, as QEMU's isa-debug-exit`;

const CODES: Readonly<Record<string, number>> = {
  ABORTED: EXIT.interrupted,
  CONFIG_INVALID: EXIT.usage,
  OPTION_INVALID: EXIT.usage,
  MEMORY_INVALID: EXIT.usage,
  GUEST_UNKNOWN: EXIT.usage,
  GUEST_ABORTED: EXIT.interrupted,
};

/** By the error's code; codes of one family share a prefix. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof VmmError)) return EXIT.internal;
  const code = CODES[error.code];
  if (code !== undefined) return code;
  if (error.code.startsWith('GUEST_')) return EXIT.guestUnavailable;
  return /^(IMAGE|KERNEL|INITRD|BOOT|LOADER)_/.test(error.code) ? EXIT.image : EXIT.internal;
}

export function exitCodeOfMachine(exit: MachineExit): number {
  switch (exit.reason) {
    case 'poweroff': case 'reset': case 'stopped': return EXIT.ok;
    case 'triple-fault': return EXIT.tripleFault;
    case 'debug-exit': return exit.code;
    case 'error': return exitCodeOf(exit.error);
  }
}
