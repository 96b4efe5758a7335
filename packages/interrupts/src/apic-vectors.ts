// The part of a local APIC that decides which vector comes next. SDM vol 3A §11.8.3 and §11.8.4. @hot
import { VectorSet } from './vector-set.ts';

export interface ApicVectorsState {
  readonly tpr: number;
  readonly isr: Uint32Array;
  readonly tmr: Uint32Array;
  readonly irr: Uint32Array;
}

/** Requests, interrupts in service, trigger modes and the task priority. */
export class ApicVectors {
  readonly isr = new VectorSet();
  readonly tmr = new VectorSet();
  readonly irr = new VectorSet();
  tpr = 0;

  accept(vector: number, isLevelTriggered: boolean): void {
    if (isLevelTriggered) this.tmr.add(vector);
    else this.tmr.delete(vector);
    this.irr.add(vector);
  }

  /** The highest requested vector above the processor priority, or -1. */
  pending(): number {
    const vector = this.irr.highest();
    return vector >= 0 && vector >> 4 > this.processorPriority() >> 4 ? vector : -1;
  }

  /** Moves the pending vector into service; -1 when there is none. */
  take(): number {
    const vector = this.pending();
    if (vector < 0) return -1;
    this.irr.delete(vector);
    this.isr.add(vector);
    return vector;
  }

  /** Ends the highest vector in service and answers it, -1 when there is none. */
  end(): number {
    const vector = this.isr.highest();
    if (vector >= 0) this.isr.delete(vector);
    return vector;
  }

  /** The higher of TPR and the class in service. */
  processorPriority(): number {
    const inService = this.isr.highest();
    return inService < 0 || this.tpr >> 4 >= inService >> 4 ? this.tpr : inService & 0xf0;
  }

  clear(): void {
    this.tpr = 0;
    this.isr.clear();
    this.tmr.clear();
    this.irr.clear();
  }

  save(): ApicVectorsState {
    return { tpr: this.tpr, isr: this.isr.save(), tmr: this.tmr.save(), irr: this.irr.save() };
  }

  restore(state: ApicVectorsState): void {
    this.tpr = state.tpr;
    this.isr.restore(state.isr);
    this.tmr.restore(state.tmr);
    this.irr.restore(state.irr);
  }
}
