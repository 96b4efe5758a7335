import { message, plane } from '../message.ts';

/**
 * Plane `access`: port and MMIO accesses of a vCPU to a device in another worker. Writes are posted; a read waits for its `value`
 * in the answering ring, and finds every earlier write done. Sizes in bytes: 1, 2 or 4.
 */
export const AccessMessages = plane('access', {
  portRead: message(1, { port: 'u32', size: 'u32' }),
  portWrite: message(2, { port: 'u32', size: 'u32', value: 'u32' }),
  mmioRead: message(3, { gpa: 'f64', size: 'u32' }),
  mmioWrite: message(4, { gpa: 'f64', size: 'u32', value: 'u32' }),
  /** Hard reset of the devices behind the ring; answered by `value`. */
  reset: message(5, {}),
  /** Answered by `value` when everything before it has had its effect outside the machine: output written, interrupts sent. */
  fence: message(6, {}),
});

export const AccessReplies = plane('access replies', {
  value: message(1, { value: 'u32' }),
});
