/** MONITOR, MWAIT and the forms for user mode. SDM vol 2A, MONITOR, MWAIT; vol 2B, TPAUSE, UMONITOR, UMWAIT */
import { EVENT_CARE, STATE } from '@vmm/state';
import type { StateView } from '@vmm/state';
import { CR4, EFLAGS, GPR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { ARITHMETIC_FLAGS, changeFlags } from './flags.ts';
import { DONE, FAULT } from './status.ts';
import type { Status } from './status.ts';

const LINE_BYTES = 64;

/**
 * The armed address range, one cache line. Any event disarms it, and a store by whoever is found by comparing, so that MWAIT never sleeps through what it
 * should wake for.
 */
export class MonitoredLine {
  readonly #words = new Int32Array(LINE_BYTES / 4);
  #lo = 0;
  #hi = 0;
  readonly #state: StateView;

  constructor(state: StateView) { this.#state = state; }

  get isArmed(): boolean { return (this.#state.word(STATE.eventCare) & EVENT_CARE.monitor) !== 0; }
  set isArmed(armed: boolean) { this.#state.setWord(STATE.eventCare, this.#state.word(STATE.eventCare) & ~EVENT_CARE.monitor | (armed ? EVENT_CARE.monitor : 0)); }

  /** False: the read faulted. */
  arm(cpu: Cpu, lo: number, hi: number): boolean {
    this.#lo = lo & -LINE_BYTES;
    this.#hi = hi;
    cpu.mmu.read8(lo, hi);
    this.isArmed = !cpu.mmu.faulted && this.#visit(cpu, (at, word) => {
      this.#words[at] = word;
      return true;
    });
    return !cpu.mmu.faulted;
  }

  /** Whether nothing has happened since. */
  isQuiet(cpu: Cpu): boolean {
    const quiet = this.isArmed && this.#visit(cpu, (at, word) => this.#words[at] === word);
    this.isArmed = false;
    return quiet;
  }

  #visit(cpu: Cpu, look: (at: number, word: number) => boolean): boolean {
    for (let at = 0; at < LINE_BYTES / 4; at++) {
      const word = cpu.mmu.readSystem32(this.#lo + 4 * at | 0, this.#hi) | 0;
      if (cpu.mmu.faulted || !look(at, word)) {
        cpu.state.setWord(STATE.faultVector, -1);
        return false;
      }
    }
    return true;
  }
}

export function monitor(cpu: Cpu): Status {
  if (!cpu.cpuid.has('monitor') || cpu.cpl !== 0) return cpu.undefinedOpcode();
  if (cpu.gprLo(GPR.RCX) !== 0) return cpu.protectionFault();
  return cpu.monitored.arm(cpu, cpu.argLo(0), cpu.argHi(0)) ? DONE : FAULT;
}

/** Waits for an interrupt as HLT does if the monitored line has not changed and one can come; else it ends at once, which is always allowed. */
export function mwait(cpu: Cpu): Status {
  const { state } = cpu;
  if (!cpu.cpuid.has('monitor') || cpu.cpl !== 0) return cpu.undefinedOpcode();
  if (cpu.gprLo(GPR.RCX) !== 0) return cpu.protectionFault();
  if (!cpu.monitored.isQuiet(cpu) || !(state.word(STATE.eflags) & EFLAGS.IF)) return DONE;
  state.setWord(STATE.halted, 1);
  return cpu.advance();
}

/** UMONITOR: the address counts for nothing more, because UMWAIT never waits. */
export function userMonitor(cpu: Cpu): Status {
  if (!cpu.cpuid.has('waitpkg')) return cpu.undefinedOpcode();
  cpu.mmu.read8(cpu.argLo(0), cpu.argHi(0));
  return cpu.mmu.faulted ? FAULT : DONE;
}

/** UMWAIT and TPAUSE end at once. CF would say that the operating system's time limit ended them. */
export function userWait(cpu: Cpu): Status {
  if (!cpu.cpuid.has('waitpkg')) return cpu.undefinedOpcode();
  if (cpu.argLo(0) & ~1 || cpu.state.word(STATE.cr4) & CR4.TSD && cpu.cpl !== 0) return cpu.protectionFault();
  changeFlags(cpu.state, 0, ARITHMETIC_FLAGS);
  return cpu.advance();
}
