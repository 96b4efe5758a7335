import { spawnSync } from 'node:child_process';

/** Whether a program of the host can be run; tests that need it are skipped, and say so, where it is missing. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}
