import { ICR } from '@vmm/spec';

/** What travels between APICs: from an ICR, a redirection entry or an MSI. */
export interface ApicMessage {
  /** APIC id or logical mask, 32 bits. `BROADCAST` reaches everybody. */
  readonly destination: number;
  readonly isLogical: boolean;
  /** `DELIVERY_MODE` */
  readonly deliveryMode: number;
  readonly vector: number;
  readonly isLevelTriggered: boolean;
  /** `ICR.SHORTHAND_*`; only an ICR uses others than none. */
  readonly shorthand: number;
}

export const BROADCAST = 0xffff_ffff;

/** xAPICs, redirection entries and MSIs carry eight bits, all ones meaning everybody. */
export function widenDestination(destination: number): number {
  return destination === 0xff ? BROADCAST : destination;
}

/** The wire between the APICs. Vcpus in several workers implement it over rings, one worker in process. */
export interface ApicBus {
  send(message: ApicMessage, sourceId: number): void;
  /** A level-triggered vector has ended: every IO-APIC looks whether it sent it. */
  endOfInterrupt(vector: number): void;
}

/** A message of a device: no shorthand. */
export function deviceMessage(message: Omit<ApicMessage, 'shorthand'>): ApicMessage {
  return { ...message, shorthand: ICR.SHORTHAND_NONE };
}
