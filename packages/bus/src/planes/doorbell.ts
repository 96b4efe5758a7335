import { message, plane } from '../message.ts';

/** Plane `doorbell`: a vCPU tells a device worker that a queue has work. Posted; equal doorbells may be merged by the device. */
export const DoorbellMessages = plane('doorbell', {
  ring: message(1, { device: 'u32', queue: 'u32', value: 'u32' }),
});
