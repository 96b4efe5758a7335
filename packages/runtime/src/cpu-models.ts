import { CPU_MODELS } from '@vmm/cpu/models'; // the names alone: the CPU itself is loaded in its worker

export const DEFAULT_CPU = 'default64';

/** CPU models that `createMachine` takes, the default first. */
export const CPU_MODEL_NAMES: readonly string[] = [DEFAULT_CPU, ...Object.keys(CPU_MODELS).filter((name) => name !== DEFAULT_CPU)];
