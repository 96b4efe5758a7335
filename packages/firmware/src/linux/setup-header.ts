/** The set-up header of a bzImage. Linux, Documentation/x86/boot.rst (protocol 2.15), "The Real-Mode Kernel Header" */
import { VmmError } from '@vmm/spec';

/** Offsets in the file, and in boot_params. */
export const HEADER = {
  START: 0x1f1,
  SETUP_SECTORS: 0x1f1,
  SYSTEM_PARAGRAPHS: 0x1f4,
  VIDEO_MODE: 0x1fa,
  BOOT_FLAG: 0x1fe,
  JUMP: 0x200,
  MAGIC: 0x202,
  VERSION: 0x206,
  LOADER_TYPE: 0x210,
  LOAD_FLAGS: 0x211,
  CODE32_START: 0x214,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  HEAP_END: 0x224,
  COMMAND_LINE: 0x228,
  INITRD_MAX: 0x22c,
  ALIGNMENT: 0x230,
  IS_RELOCATABLE: 0x234,
  XLOAD_FLAGS: 0x236,
  COMMAND_LINE_SIZE: 0x238,
  PREFERRED_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
} as const;

export const LOAD_FLAG = { LOADED_HIGH: 1 << 0, CAN_USE_HEAP: 1 << 7 } as const;
export const XLOAD_FLAG = { KERNEL_64: 1 << 0 } as const;
export const HEADER_MAGIC = 0x5372_6448; // "HdrS"
export const BOOT_SECTOR_MAGIC = 0xaa55;

const SECTOR_BYTES = 512;
const PARAGRAPH_BYTES = 16;
/** 2.06: command line size; 2.10: preferred address, init_size. Older kernels than 2.6.31 lack the latter. */
const OLDEST_VERSION = 0x0206;
const VERSION_WITH_PREFERRED_ADDRESS = 0x020a;
const VERSION_WITH_XLOAD_FLAGS = 0x020c;

export interface LinuxKernel {
  readonly version: number;
  /** Boot sector and set-up code: the 16-bit part. */
  readonly setup: Uint8Array;
  /** The protected-mode part: decompressor and payload. */
  readonly system: Uint8Array;
  /** The header's own bytes, as boot_params wants them. */
  readonly header: Uint8Array;
  readonly isLoadedHigh: boolean;
  readonly isRelocatable: boolean;
  readonly alignment: number;
  readonly preferredAddress: number;
  /** Memory needed from the load address on until the kernel has its own map. */
  readonly initBytes: number;
  readonly has64BitEntry: boolean;
  /** Whether the payload is 64-bit code. */
  readonly is64Bit: boolean;
  readonly initrdMax: number;
  readonly commandLineMax: number;
}

/** Whether the bytes claim to be a Linux kernel; `parseLinuxKernel` says whether a good one. */
export function isLinuxKernel(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  return bytes.length >= HEADER.MAGIC + 4 && view.getUint16(HEADER.BOOT_FLAG, true) === BOOT_SECTOR_MAGIC && view.getUint32(HEADER.MAGIC, true) === HEADER_MAGIC;
}

export function parseLinuxKernel(bytes: Uint8Array): LinuxKernel {
  if (!isLinuxKernel(bytes)) throw invalid('no boot sector mark and "HdrS" header');
  const headerEnd = HEADER.MAGIC + (bytes[HEADER.JUMP + 1] ?? 0);
  if (bytes.length < headerEnd || headerEnd <= HEADER.COMMAND_LINE_SIZE) throw truncated(bytes.length, SECTOR_BYTES * 2);
  const view = viewOf(bytes);
  const version = view.getUint16(HEADER.VERSION, true);
  if (version < OLDEST_VERSION) throw unsupported(`speaks boot protocol ${formatVersion(version)}`, 'Use Linux 2.6.22 or later: boot protocol 2.06.');
  const setupBytes = ((bytes[HEADER.SETUP_SECTORS] || 4) + 1) * SECTOR_BYTES;
  const systemBytes = view.getUint32(HEADER.SYSTEM_PARAGRAPHS, true) * PARAGRAPH_BYTES;
  // syssize is rounded up; a few bytes of padding may be missing at the end of the file.
  if (systemBytes === 0 || bytes.length < setupBytes + systemBytes - PARAGRAPH_BYTES + 1) throw truncated(bytes.length, setupBytes + systemBytes);
  const has = (from: number): boolean => version >= from;
  const xloadFlags = has(VERSION_WITH_XLOAD_FLAGS) ? view.getUint16(HEADER.XLOAD_FLAGS, true) : 0;
  const hasPreference = has(VERSION_WITH_PREFERRED_ADDRESS);
  return {
    version,
    setup: bytes.subarray(0, setupBytes),
    system: bytes.subarray(setupBytes, setupBytes + systemBytes),
    header: bytes.subarray(HEADER.START, headerEnd),
    isLoadedHigh: ((bytes[HEADER.LOAD_FLAGS] ?? 0) & LOAD_FLAG.LOADED_HIGH) !== 0,
    isRelocatable: bytes[HEADER.IS_RELOCATABLE] !== 0,
    alignment: view.getUint32(HEADER.ALIGNMENT, true),
    preferredAddress: hasPreference ? Number(view.getBigUint64(HEADER.PREFERRED_ADDRESS, true)) : 0x10_0000,
    initBytes: hasPreference ? view.getUint32(HEADER.INIT_SIZE, true) : systemBytes * 4,
    has64BitEntry: (xloadFlags & XLOAD_FLAG.KERNEL_64) !== 0,
    is64Bit: (xloadFlags & XLOAD_FLAG.KERNEL_64) !== 0,
    initrdMax: view.getUint32(HEADER.INITRD_MAX, true),
    commandLineMax: view.getUint32(HEADER.COMMAND_LINE_SIZE, true),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function formatVersion(version: number): string {
  return `${version >> 8}.${(version & 0xff).toString().padStart(2, '0')}`;
}

function invalid(what: string): VmmError {
  return new VmmError('KERNEL_INVALID', `Cannot load the kernel: ${what}`, { hint: 'Give a bzImage (Debian: /boot/vmlinuz-*), a multiboot image or an ELF file with a PVH entry.' });
}

function truncated(actual: number, expected: number): VmmError {
  return new VmmError('KERNEL_TRUNCATED', `Cannot load the kernel: it has ${actual} bytes, its header promises ${expected}`, { hint: 'The file is cut short: copy or download it again.' });
}

function unsupported(what: string, hint: string): VmmError {
  return new VmmError('KERNEL_UNSUPPORTED', `Cannot load the kernel: it ${what}`, { hint });
}
