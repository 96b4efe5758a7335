import type { ModuleBuilder } from '@vmm/wasm';
import { defineIntegerHelpers } from './integer-helpers.ts';
import type { HelperFunctions } from './integer-helpers.ts';
import { defineVectorHelpers } from './sse-helpers.ts';
import { defineX87Fast } from './x87-fast.ts';
import { defineX87Helpers } from './x87-helpers.ts';
import { defineX87Transcendental } from './x87-transcendental.ts';

/** Every module function that builders call through `Machine.helper`. Call once per module, before defining handlers. */
export function defineHelpers(module: ModuleBuilder, stateBase: number): HelperFunctions {
  const x87 = defineX87Helpers(module, stateBase, defineVectorHelpers(module, stateBase));
  defineX87Fast(x87);
  defineX87Transcendental(x87);
  return { ...defineIntegerHelpers(module, stateBase), ...x87.functions };
}
