/** VMCALL and VMMCALL of a guest that was told of a hypervisor. Without one they are undefined, as outside VMX operation. */
import { STATE } from '@vmm/state';
import { GPR } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import { isCode64 } from './mode.ts';
import type { Status } from './status.ts';

/** Answers, negative as Linux's error numbers: KVM_ENOSYS for an unknown call, EPERM outside ring 0. */
const NO_SUCH_CALL = -1000, NOT_PERMITTED = -1;

/** No call exists yet; the answer says so in RAX. */
export function hypercall(cpu: Cpu): Status {
  if (!cpu.cpuid.has('hypervisor')) return cpu.undefinedOpcode();
  cpu.state.setPair(STATE.gpr + 8 * GPR.RAX, cpu.cpl === 0 ? NO_SUCH_CALL : NOT_PERMITTED, isCode64(cpu.state) ? -1 : 0);
  return cpu.advance();
}
