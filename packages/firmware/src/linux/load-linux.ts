/** The Linux/x86 boot protocol, all three entries. Linux, Documentation/x86/boot.rst */
import { VmmError } from '@vmm/spec';
import { ADDRESS } from '../address-map.ts';
import { installBiosServices } from '../bios-services.ts';
import { type BootState, longModeState, protectedModeState, realModeState } from '../boot-state.ts';
import { type E820Entry, e820Map, highMemoryEnd } from '../e820.ts';
import type { GuestMemory } from '../guest-memory.ts';
import { makeBootParams, patchHeader } from './boot-params.ts';
import { HEADER, type LinuxKernel, LOAD_FLAG, parseLinuxKernel } from './setup-header.ts';

export interface LinuxImage {
  /** A bzImage. */
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array | undefined;
  readonly commandLine?: string;
  /** Default: `e820Map` of the memory's size. */
  readonly e820?: readonly E820Entry[];
  /**
   * Which entry point: 64-bit mode with paging, 32-bit protected mode, or the set-up code in real mode with minimal BIOS services.
   * Default 'auto': 64 for a 64-bit kernel, else 32.
   */
  readonly entry?: 'auto' | 16 | 32 | 64;
  /** Where `installPlatformTables` put the RSDP; default: the kernel scans for it. */
  readonly acpiRsdp?: number;
  /** Whether the CPU model has long mode. Default true. */
  readonly hasLongMode?: boolean;
}

/** Linux's __START_KERNEL + 0x200: startup_64 of the decompressor. */
const ENTRY_64_OFFSET = 0x200;
const PAGE_BYTES = 0x1000;

/** Puts a kernel, its RAM disk and its parameters in place; answers the state to start the boot processor in. */
export function loadLinux(memory: GuestMemory, image: LinuxImage): BootState {
  const kernel = parseLinuxKernel(image.kernel);
  const entry = chooseEntry(kernel, image);
  const e820 = image.e820 ?? e820Map(memory.sizeBytes);
  const ramEnd = highMemoryEnd(e820);
  const loadAddress = placeKernel(kernel, ramEnd);
  const initrd = image.initrd === undefined ? undefined : placeInitrd(kernel, image.initrd, ramEnd);
  const commandLine = encodeCommandLine(image.commandLine ?? '', kernel.commandLineMax);

  memory.write(loadAddress, kernel.system);
  if (image.initrd !== undefined && initrd !== undefined) memory.write(initrd.base, image.initrd);
  memory.write(ADDRESS.COMMAND_LINE, commandLine);
  const placed = { kernel, loadAddress, initrd, e820, commandLineAddress: ADDRESS.COMMAND_LINE, acpiRsdp: image.acpiRsdp ?? 0 };
  if (entry === 16) return enterSetupCode(memory, placed);
  memory.write(ADDRESS.BOOT_INFORMATION, makeBootParams(placed));
  const registers = { rsi: ADDRESS.BOOT_INFORMATION };
  return entry === 64
    ? longModeState(memory, { rip: loadAddress + ENTRY_64_OFFSET, registers })
    : protectedModeState(memory, { rip: loadAddress, registers });
}

function chooseEntry(kernel: LinuxKernel, image: LinuxImage): 16 | 32 | 64 {
  if (kernel.is64Bit && image.hasLongMode === false) {
    throw new VmmError('KERNEL_UNSUPPORTED', 'Cannot load the kernel: the kernel is 64-bit, the CPU model is not', { hint: 'Choose a CPU model with long mode, or a 32-bit kernel.' });
  }
  const entry = image.entry ?? 'auto';
  if (entry === 64 && !kernel.has64BitEntry) {
    throw new VmmError('KERNEL_UNSUPPORTED', 'Cannot load the kernel: it has no 64-bit entry point', { hint: 'Use its 32-bit entry.' });
  }
  if (!kernel.isLoadedHigh && entry !== 16) {
    throw new VmmError('KERNEL_UNSUPPORTED', 'Cannot load the kernel: it is a zImage, which loads below 640 KiB', { hint: 'Build it as bzImage.' });
  }
  return entry === 'auto' ? (kernel.has64BitEntry ? 64 : 32) : entry;
}

/** The preferred address; and room for the kernel to unpack itself, there or above where it must be. */
function placeKernel(kernel: LinuxKernel, ramEnd: number): number {
  const { preferredAddress, initBytes, isRelocatable } = kernel;
  const needed = preferredAddress + Math.max(initBytes, kernel.system.length);
  if (needed > ramEnd) {
    throw new VmmError('MEMORY_INVALID', `Cannot load the kernel: it needs ${inMib(needed)} MiB of RAM, the machine has ${inMib(ramEnd)}`, { hint: `Give the machine ${inMib(needed)} MiB or more.` });
  }
  return isRelocatable ? preferredAddress : ADDRESS.HIGH_MEMORY;
}

/** As high as the kernel allows, page by page; the kernel's own room stays free. */
function placeInitrd(kernel: LinuxKernel, initrd: Uint8Array, ramEnd: number): { base: number; length: number } {
  const end = Math.min(ramEnd, kernel.initrdMax + 1);
  const base = Math.floor((end - initrd.length) / PAGE_BYTES) * PAGE_BYTES;
  const free = kernel.preferredAddress + Math.max(kernel.initBytes, kernel.system.length);
  if (base < free) {
    throw new VmmError('INITRD_TOO_LARGE', `Cannot load the initial RAM disk: ${inMib(initrd.length)} MiB, of ${inMib(ramEnd)} MiB of RAM ${inMib(Math.max(0, end - free))} are free for it`, {
      hint: `Give the machine ${inMib(free + initrd.length + PAGE_BYTES)} MiB or more.`,
    });
  }
  return { base, length: initrd.length };
}

function encodeCommandLine(text: string, maximum: number): Uint8Array {
  const bytes = new TextEncoder().encode(`${text}\0`);
  if (bytes.length - 1 > maximum) {
    throw new VmmError('KERNEL_COMMAND_LINE_TOO_LONG', `Cannot pass the command line: ${bytes.length - 1} bytes, this kernel takes ${maximum}`, { hint: 'Shorten it.' });
  }
  return bytes;
}

/** Up, in MiB with one digit. */
function inMib(bytes: number): number {
  return Math.ceil(bytes / 0x10_0000 * 10) / 10;
}

/** The segment of the set-up code: code, heap up to 0x9800, stack to its end. */
const SETUP_HEAP_END = 0x9800, SETUP_STACK_END = 0xfff0;
const SETUP_ENTRY_PARAGRAPHS = 0x20;
/** The header's heap_end_ptr counts from behind the boot sector. */
const HEAP_END_BIAS = 0x200;

function enterSetupCode(memory: GuestMemory, placed: Parameters<typeof makeBootParams>[0]): BootState {
  const setup = new Uint8Array(placed.kernel.setup);
  const view = new DataView(setup.buffer);
  patchHeader(view, placed);
  view.setUint16(HEADER.HEAP_END, SETUP_HEAP_END - HEAP_END_BIAS, true);
  view.setUint8(HEADER.LOAD_FLAGS, view.getUint8(HEADER.LOAD_FLAGS) | LOAD_FLAG.CAN_USE_HEAP);
  memory.write(ADDRESS.REAL_MODE_SETUP, setup);
  installBiosServices(memory, placed.e820);
  const segment = ADDRESS.REAL_MODE_SETUP >> 4;
  return realModeState({ segment, codeSegment: segment + SETUP_ENTRY_PARAGRAPHS, rip: 0, rsp: SETUP_STACK_END });
}
