import type { BootState, CpuModel } from '@vmm/cpu';
import { VmmError } from '@vmm/spec';
import type { EngineParts } from './engine.ts';

export interface BootParts extends EngineParts {
  readonly model: CpuModel;
}

/** What the vCPU starts with, and how it was found, in words. */
export interface LoadedBoot {
  readonly state: BootState;
  readonly entry: string;
}

/** Puts the image, the RAM disk and the firmware's tables into guest memory. Throws `VmmError` when the machine cannot boot it. */
export function bootMachine(_parts: BootParts): LoadedBoot {
  throw new VmmError('IMAGE_INVALID', 'Cannot load a kernel: this build has no loader', { hint: 'Use a build that has @vmm/firmware.' });
}
