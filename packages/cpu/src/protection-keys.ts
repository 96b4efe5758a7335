/** Rights by protection key: RDPKRU, WRPKRU. SDM vol 3A §4.6.2 */
import { STATE } from '@vmm/state';
import { CR4, GPR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { DONE } from './status.ts';
import type { Status } from './status.ts';

function hasUserKeys(cpu: Cpu): boolean { return (cpu.state.word(STATE.cr4) & CR4.PKE) !== 0; }

export function readUserKeys(cpu: Cpu): Status {
  if (!hasUserKeys(cpu)) return cpu.undefinedOpcode();
  if (cpu.gprLo(GPR.RCX) !== 0) return cpu.protectionFault();
  cpu.setEdxEax(cpu.state.word(STATE.pkru), 0);
  return DONE;
}

export function writeUserKeys(cpu: Cpu): Status {
  if (!hasUserKeys(cpu)) return cpu.undefinedOpcode();
  if (cpu.gprLo(GPR.RCX) !== 0 || cpu.gprLo(GPR.RDX) !== 0) return cpu.protectionFault();
  cpu.state.setWord(STATE.pkru, cpu.gprLo(GPR.RAX));
  return keysChanged(cpu);
}

/** Generated code has loaded PKRU: translations in use may be wrong. */
export function keysChanged(cpu: Cpu): Status {
  cpu.mmu.protectionKeysChanged();
  return cpu.advance();
}
