import type { GeneratedAccess } from '@vmm/paging';
import type { FunctionRef, ModuleBuilder } from '@vmm/wasm';
import { defineControlFunctions } from './control-code.ts';
import { defineEventFunctions } from './event-code.ts';
import { definePortFunctions } from './port-code.ts';
import type { PortImports } from './port-code.ts';
import { defineInterruptReturn } from './return-code.ts';
import { defineLoadSegment } from './segment-code.ts';
import { defineSystemCalls } from './system-call-code.ts';
import { defineTableFunctions } from './table-code.ts';
import { defineTimeStamp } from './time-code.ts';

/**
 * Common cases of system instructions and of event delivery without TypeScript. Each function answers 0 where it has done nothing: then the callout
 * decides, which stays the complete reference. `readTime`, `ports`: see `HostImports`.
 */
export function defineSystemFunctions(module: ModuleBuilder, privateBase: number, { tryAccess, invalidatePage }: GeneratedAccess, readTime: FunctionRef, ports: PortImports) {
  const t = defineTableFunctions(module, privateBase, tryAccess);
  return {
    loadSegment: defineLoadSegment(module, t), ...defineEventFunctions(module, t), interruptReturn: defineInterruptReturn(module, t), ...defineSystemCalls(module, t),
    ...defineControlFunctions(module, t, privateBase), ...definePortFunctions(module, t, ports), timeStamp: defineTimeStamp(module, t, readTime), invalidatePage,
  };
}
