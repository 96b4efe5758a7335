import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { defineEventFunctions } from './event-code.ts';
import { defineInterruptReturn } from './return-code.ts';
import { defineLoadSegment } from './segment-code.ts';
import { defineSystemCalls } from './system-call-code.ts';
import { defineTableFunctions } from './table-code.ts';

/**
 * Common cases of system instructions and of event delivery without TypeScript. Each function answers 0 where it has done nothing: then the callout
 * decides, which stays the complete reference. `tryAccess`: see `GeneratedAccess`.
 */
export function defineSystemFunctions(module: ModuleBuilder, privateBase: number, tryAccess: FunctionRef) {
  const t = defineTableFunctions(module, privateBase, tryAccess);
  return { loadSegment: defineLoadSegment(module, t), ...defineEventFunctions(module, t), interruptReturn: defineInterruptReturn(module, t), ...defineSystemCalls(module, t) };
}
