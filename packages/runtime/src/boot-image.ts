import type { BootState, CpuModel } from '@vmm/cpu';
import { loadKernel } from '@vmm/firmware';
import type { GuestMemory, KernelFormat } from '@vmm/firmware';
import type { EngineParts } from './engine.ts';

export interface BootParts extends Pick<EngineParts, 'config' | 'memory'> {
  readonly model: CpuModel;
}

/** What the vCPU starts with, and how it was found, in words. */
export interface LoadedBoot {
  readonly state: BootState;
  readonly entry: string;
}

const FORMAT_NAMES: Readonly<Record<KernelFormat, string>> = {
  linux: 'Linux boot protocol', pvh: 'PVH', multiboot1: 'multiboot 1', 'boot-sector': 'boot sector',
};

/** Puts the image, the RAM disk and the firmware's tables into guest memory. Throws `VmmError` when the machine cannot boot it. */
export function bootMachine({ config, memory, model }: BootParts): LoadedBoot {
  const guest: GuestMemory = {
    sizeBytes: memory.ramBytes,
    write: (gpa, bytes) => { memory.guest.writeBytes(gpa, bytes); },
    read: (gpa, length) => memory.guest.readBytes(gpa, length),
  };
  memory.guest.fill(0, LOW_MEMORY_BYTES);
  const { kernel, initrd, commandLine, entry } = config.boot;
  const state = loadKernel(guest, { kernel, initrd, commandLine, entry: entry ?? 'auto', hasLongMode: model.features.includes('lm') });
  return { state, entry: `${FORMAT_NAMES[state.format]}, ${state.mode} mode, rip 0x${state.rip.toString(16)}` };
}

/** Tables and vectors of an earlier boot must not be found. */
const LOW_MEMORY_BYTES = 0x10_0000;
