import { VmmError } from '@vmm/spec';

/** Name of the embedded guest. */
export const NANO = 'nano';

/** The embedded guest's kernel. */
export function nanoKernel(): Promise<Uint8Array> {
  return Promise.reject(new VmmError('GUEST_UNAVAILABLE', 'Cannot find guest nano in this build', { hint: 'Choose a linux guest or give --kernel.' }));
}
