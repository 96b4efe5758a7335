import { APIC_BASE, DELIVERY_MODE, ICR } from '@vmm/spec';
import { widenDestination } from './apic-message.ts';
import type { ApicMessage } from './apic-message.ts';

const MODE_BITS = APIC_BASE.GLOBAL_ENABLE | APIC_BASE.X2APIC_ENABLE;
const RESERVED = 0x2ff;

/** SDM vol 3A §11.12.5, Figure 11-27: disabled to xAPIC to x2APIC, and back to disabled from either. */
export function isLegalApicBase(current: number, next: number, hasX2apic: boolean): boolean {
  const from = current & MODE_BITS;
  const to = next & MODE_BITS;
  if ((next & RESERVED) !== 0 || to === APIC_BASE.X2APIC_ENABLE) return false;
  if (to === MODE_BITS && !hasX2apic) return false;
  if (from === to) return true;
  return !(from === MODE_BITS && to === APIC_BASE.GLOBAL_ENABLE) && !(from === 0 && to === MODE_BITS);
}

/** SDM vol 3A §11.12.10.2: in x2APIC mode the logical id follows from the id. */
export function x2apicLogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;
}

/** Logical destinations of an xAPIC (§11.6.2.2): a flat mask, or a mask within a cluster. */
export function matchesXapicLogical(destination: number, ldr: number, dfr: number): boolean {
  const own = ldr >>> 24;
  const isFlat = dfr >>> 28 === 15;
  if (isFlat) return (destination & own) !== 0;
  return destination >> 4 === own >> 4 && (destination & own & 15) !== 0;
}

export function matchesX2apicLogical(destination: number, id: number): boolean {
  const own = x2apicLogicalId(id);
  return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
}

/** The message that a write to the ICR sends, or undefined for INIT de-assert, which only last century's processors knew. */
export function decodeIcr(low: number, high: number, isX2apic: boolean): ApicMessage | undefined {
  const deliveryMode = (low >> ICR.DELIVERY_MODE_SHIFT) & 7;
  if (deliveryMode === DELIVERY_MODE.INIT && (low & ICR.LEVEL_TRIGGERED) !== 0 && (low & ICR.ASSERT) === 0) return undefined;
  return {
    destination: isX2apic ? high : widenDestination(high >>> 24),
    isLogical: (low & ICR.LOGICAL_DESTINATION) !== 0,
    deliveryMode,
    vector: low & ICR.VECTOR_MASK,
    isLevelTriggered: false,
    shorthand: (low & ICR.SHORTHAND_MASK) >> ICR.SHORTHAND_SHIFT,
  };
}

