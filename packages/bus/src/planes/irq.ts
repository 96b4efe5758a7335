import { message, plane } from '../message.ts';

/** Plane `irq`: device workers to the interrupt controllers beside the vCPU. Posted; the consumer's bell is the vCPU's attention word. */
export const IrqMessages = plane('irq', {
  setLine: message(1, { gsi: 'u32', level: 'u32' }),
  msi: message(2, { address: 'u64', data: 'u32', requesterId: 'u32' }),
});
