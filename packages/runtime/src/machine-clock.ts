import { CountedTime, HostTime, VirtualClock } from '@vmm/clock';
import { CountedLoopTime } from './counted-loop-time.ts';
import type { ClockConfig } from './options.ts';
import { HostLoopTime } from './run-loop.ts';
import type { LoopTime } from './run-loop.ts';

/** The time-stamp counter runs at 1 GHz of virtual time: one cycle is one nanosecond. */
export const TSC_HZ = 1_000_000_000;
/** CPUID leaf 15H's crystal, and with it the input of the local APIC timer. */
export const CRYSTAL_HZ = 25_000_000;
/** A slice and a little: what is longer is a pause of the host. Seen in full it would spoil calibration loops and lose ticks (4 ms in Debian). */
const LONGEST_GAP_MS = 2.5;
/** A counted run always begins on the same day. */
const COUNTED_EPOCH_MS = Date.UTC(2026, 0, 1);

export interface MachineClock {
  readonly clock: VirtualClock;
  readonly loopTime: LoopTime;
  /** Virtual time 0 in milliseconds since 1970. */
  readonly startUnixMs: number;
}

export interface MachineClockParts {
  /** Instructions retired so far, the slice under way included as far as it is known. */
  readonly instructions: () => number;
  /** The earliest deadline has moved earlier. */
  readonly onEarlierDeadline: () => void;
}

/** The clock of one machine and the way its run loop spends time. */
export function createMachineClock(config: ClockConfig, { instructions, onEarlierDeadline }: MachineClockParts): MachineClock {
  if (config.kind === 'counted') {
    const loopTime = new CountedLoopTime(new CountedTime(1e9 / config.instructionsPerSecond), instructions);
    const clock = new VirtualClock(loopTime.now, { onEarlierDeadline });
    return { clock, loopTime, startUnixMs: COUNTED_EPOCH_MS };
  }
  // the global is found anew, through a getter, each time it is named
  const hostClock = performance, hostNowMs = (): number => hostClock.now();
  const time = new HostTime({ hostNowMs, scale: config.scale, longestGapMs: LONGEST_GAP_MS });
  const clock = new VirtualClock(time.now, { onEarlierDeadline });
  return { clock, loopTime: new HostLoopTime(time, hostNowMs), startUnixMs: performance.timeOrigin + performance.now() };
}
