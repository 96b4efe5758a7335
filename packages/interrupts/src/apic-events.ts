/** What reaches a processor past IF and TPR. */
export const APIC_EVENT = { NMI: 1, SMI: 2, INIT: 4, STARTUP: 8 } as const;

export interface ApicEventsState {
  readonly waiting: number;
  readonly startupVector: number;
}

/** NMI, SMI, INIT and start-up, each latched until the vCPU takes it. */
export class ApicEvents {
  #waiting = 0;
  #startupVector = -1;

  get areWaiting(): boolean {
    return this.#waiting !== 0;
  }

  raise(event: number): void {
    this.#waiting |= event;
  }

  raiseStartup(vector: number): void {
    this.#startupVector = vector;
    this.#waiting |= APIC_EVENT.STARTUP;
  }

  take(event: number): boolean {
    const isWaiting = (this.#waiting & event) !== 0;
    this.#waiting &= ~event;
    return isWaiting;
  }

  takeStartup(): number {
    return this.take(APIC_EVENT.STARTUP) ? this.#startupVector : -1;
  }

  clear(): void {
    this.#waiting = 0;
  }

  save(): ApicEventsState {
    return { waiting: this.#waiting, startupVector: this.#startupVector };
  }

  restore(state: ApicEventsState): void {
    this.#waiting = state.waiting;
    this.#startupVector = state.startupVector;
  }
}
