/** CPU models that `createMachine` takes, the default first. */
export const CPU_MODEL_NAMES: readonly string[] = ['default'];
