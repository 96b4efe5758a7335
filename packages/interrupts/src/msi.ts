import { MSI } from '@vmm/spec';
import { deviceMessage, widenDestination } from './apic-message.ts';
import type { ApicMessage } from './apic-message.ts';

/** What a write of `data` to `address` means, or undefined when the address is not one of interrupt messages. */
export function decodeMsi(address: number, data: number): ApicMessage | undefined {
  if ((address & MSI.ADDRESS_BASE_MASK) >>> 0 !== MSI.ADDRESS_BASE) return undefined;
  return deviceMessage({
    destination: widenDestination((address & MSI.DESTINATION_MASK) >> MSI.DESTINATION_SHIFT),
    isLogical: (address & MSI.LOGICAL_DESTINATION) !== 0,
    deliveryMode: (data >> MSI.DATA_DELIVERY_MODE_SHIFT) & 7,
    vector: data & MSI.DATA_VECTOR_MASK,
    isLevelTriggered: (data & MSI.DATA_LEVEL_TRIGGERED) !== 0,
  });
}
