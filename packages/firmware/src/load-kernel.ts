import { VmmError } from '@vmm/spec';
import { type AcpiOptions } from './acpi/build-acpi.ts';
import type { BootState } from './boot-state.ts';
import type { GuestMemory } from './guest-memory.ts';
import { type LinuxImage, loadLinux } from './linux/load-linux.ts';
import { isLinuxKernel } from './linux/setup-header.ts';
import { findMultibootHeader, loadMultiboot1 } from './multiboot.ts';
import { installPlatformTables } from './platform-tables.ts';
import { findPvhEntry, loadPvh } from './pvh.ts';
import { loadFlat } from './raw-images.ts';

export type KernelFormat = 'linux' | 'pvh' | 'multiboot1' | 'boot-sector';

const SECTOR_BYTES = 512;

/** What the bytes are by their marks; undefined when nothing we load. PVH goes before multiboot, as it says more. */
export function detectKernelFormat(bytes: Uint8Array): KernelFormat | undefined {
  if (isLinuxKernel(bytes)) return 'linux';
  if (findPvhEntry(bytes) !== undefined) return 'pvh';
  if (findMultibootHeader(bytes) !== undefined) return 'multiboot1';
  return bytes.length >= SECTOR_BYTES && bytes[510] === 0x55 && bytes[511] === 0xaa ? 'boot-sector' : undefined;
}

export interface KernelImage extends LinuxImage {
  /** What the tables say about the board; default: one processor on board `pc`. */
  readonly platform?: AcpiOptions;
}

/** Loads any kernel we know, with the platform's tables: what a machine without a firmware image does at power-on. */
export function loadKernel(memory: GuestMemory, image: KernelImage): BootState & { readonly format: KernelFormat } {
  const format = detectKernelFormat(image.kernel);
  if (format === undefined) {
    throw new VmmError('KERNEL_INVALID', `Cannot load the kernel: its ${image.kernel.length} bytes are in no known format`, {
      hint: 'Give a bzImage (Debian: /boot/vmlinuz-*), a multiboot 1 image, an ELF file with a PVH entry, or a boot sector.',
    });
  }
  if (format !== 'linux' && (image.entry ?? 'auto') !== 'auto') {
    throw new VmmError('KERNEL_UNSUPPORTED', `Cannot load the kernel: it is no bzImage, so it has no choice of entries (${String(image.entry)} bits)`, { hint: 'Leave the entry out.' });
  }
  const { acpiRsdp } = installPlatformTables(memory, image.platform);
  return { format, ...load(memory, { ...image, acpiRsdp }, format) };
}

function load(memory: GuestMemory, image: LinuxImage & { readonly acpiRsdp: number }, format: KernelFormat): BootState {
  switch (format) {
    case 'linux': return loadLinux(memory, image);
    case 'pvh': return loadPvh(memory, image);
    case 'multiboot1': return loadMultiboot1(memory, { ...image, modules: image.initrd === undefined ? [] : [{ bytes: image.initrd }] });
    case 'boot-sector': return loadFlat(memory, { bytes: image.kernel });
  }
}
