/** The x87 instructions that generated code leaves to TypeScript, by callout name. */
import type { StateView } from '@vmm/state';
import { RegisterStack } from './register-stack.ts';
import { Transcendental } from './transcendental.ts';

/** What a callout needs of the CPU. */
export interface FpuCpu { readonly state: StateView }
/** 0: continue with the next instruction. These never fault: x87 exceptions wait in the status word. */
export type FpuCallout = (cpu: FpuCpu, size: number) => 0;

const machines = new WeakMap<StateView, Transcendental>();
let lastState: StateView | undefined, last: Transcendental | undefined;

function transcendentalOf(state: StateView): Transcendental {
  if (state === lastState && last !== undefined) return last;
  let found = machines.get(state);
  if (found === undefined) {
    found = new Transcendental(new RegisterStack(state));
    machines.set(state, found);
  }
  lastState = state;
  last = found;
  return found;
}

const callout = (run: (t: Transcendental) => void): FpuCallout => (cpu) => {
  run(transcendentalOf(cpu.state));
  return 0;
};

export const FPU_CALLOUTS = {
  fsin: callout((t) => { t.sine(); }), fcos: callout((t) => { t.cosine(); }), fsincos: callout((t) => { t.sineCosine(); }), fptan: callout((t) => { t.tangent(); }),
  fpatan: callout((t) => { t.arctangent(); }), f2xm1: callout((t) => { t.power(); }), fyl2x: callout((t) => { t.logarithm(); }), fyl2xp1: callout((t) => { t.logarithmPlus1(); }),
} as const satisfies Readonly<Record<string, FpuCallout>>;
