import { writeSync } from 'node:fs';

const RETRY_MS = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Writes everything, now: a guest's output must not be lost when the process ends. Answers false when nobody reads any more (EPIPE). */
export function writeAll(fd: number, data: Uint8Array | string): boolean {
  let rest = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return false;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(sleeper, 0, 0, RETRY_MS); // a terminal or pipe in non-blocking mode that is full
    }
  }
  return true;
}
