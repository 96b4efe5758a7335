import { VmmError } from '@vmm/spec';
import type { EngineFactory } from './engine.ts';

export const createCpuEngine: EngineFactory = () => {
  throw new VmmError('PLATFORM_UNSUPPORTED', 'Cannot run a guest: this build has no CPU', { hint: 'Use a build that has @vmm/cpu.' });
};
