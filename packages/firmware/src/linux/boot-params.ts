/** boot_params, "the zero page". Linux, Documentation/x86/zero-page.rst */
import { VmmError } from '@vmm/spec';
import type { E820Entry } from '../e820.ts';
import { highMemoryEnd } from '../e820.ts';
import { ADDRESS } from '../address-map.ts';
import { HEADER, type LinuxKernel } from './setup-header.ts';

const OFFSET = { EXT_MEM_K: 0x002, ACPI_RSDP: 0x070, ALT_MEM_K: 0x1e0, E820_COUNT: 0x1e8, E820_TABLE: 0x2d0 } as const;
const SIZE_BYTES = 0x1000;
const E820_MAX = 128;
const E820_ENTRY_BYTES = 20;
/** "Assigned boot loader IDs": undefined. */
const LOADER_TYPE_UNDEFINED = 0xff;

export interface BootParams {
  readonly kernel: LinuxKernel;
  readonly loadAddress: number;
  readonly commandLineAddress: number;
  readonly initrd: { readonly base: number; readonly length: number } | undefined;
  readonly e820: readonly E820Entry[];
  readonly acpiRsdp: number;
}

/** screen_info stays zero: no display, so the kernel looks for none. */
export function makeBootParams(params: BootParams): Uint8Array {
  if (params.e820.length > E820_MAX) {
    throw new VmmError('BOOT_MEMORY_MAP_TOO_LONG', `Cannot describe memory: ${params.e820.length} ranges, Linux takes ${E820_MAX}`, { hint: 'Merge adjacent ranges.' });
  }
  const page = new Uint8Array(SIZE_BYTES);
  page.set(params.kernel.header, HEADER.START);
  const view = new DataView(page.buffer);
  patchHeader(view, params);
  const highKib = Math.floor((highMemoryEnd(params.e820) - ADDRESS.HIGH_MEMORY) / 1024);
  view.setUint16(OFFSET.EXT_MEM_K, Math.min(highKib, 0xfc00), true);
  view.setUint32(OFFSET.ALT_MEM_K, highKib, true);
  view.setBigUint64(OFFSET.ACPI_RSDP, BigInt(params.acpiRsdp), true);
  page[OFFSET.E820_COUNT] = params.e820.length;
  params.e820.forEach((entry, index) => {
    const at = OFFSET.E820_TABLE + index * E820_ENTRY_BYTES;
    view.setBigUint64(at, BigInt(entry.base), true);
    view.setBigUint64(at + 8, BigInt(entry.length), true);
    view.setUint32(at + 16, entry.type, true);
  });
  return page;
}

/** What a loader fills in; the same fields in boot_params and in the 16-bit set-up code. */
export function patchHeader(view: DataView, params: Pick<BootParams, 'loadAddress' | 'commandLineAddress' | 'initrd'>): void {
  view.setUint8(HEADER.LOADER_TYPE, LOADER_TYPE_UNDEFINED);
  view.setUint32(HEADER.CODE32_START, params.loadAddress, true);
  view.setUint32(HEADER.RAMDISK_IMAGE, params.initrd?.base ?? 0, true);
  view.setUint32(HEADER.RAMDISK_SIZE, params.initrd?.length ?? 0, true);
  view.setUint32(HEADER.COMMAND_LINE, params.commandLineAddress, true);
}
