/** Images without a protocol: boot sectors, BIOS ROMs, code at an address. */
import { VmmError } from '@vmm/spec';
import { ADDRESS } from './address-map.ts';
import { installBiosServices } from './bios-services.ts';
import { type BootState, realModeState } from './boot-state.ts';
import { e820Map } from './e820.ts';
import type { GuestMemory } from './guest-memory.ts';

export interface FlatImage {
  readonly bytes: Uint8Array;
  /** Default: where a BIOS puts a boot sector, 0x7C00. */
  readonly address?: number;
  /** Default: the image's first byte. */
  readonly entry?: number;
}

/** The drive a BIOS says it booted from: the first hard disk. */
const BOOT_DRIVE = 0x80;

/** Code that starts in real mode, with segments 0, below 1 MiB, and minimal BIOS services (§ bios-services). */
export function loadFlat(memory: GuestMemory, image: FlatImage): BootState {
  const address = image.address ?? ADDRESS.BOOT_SECTOR;
  const entry = image.entry ?? address;
  if (address + image.bytes.length > Math.min(ADDRESS.EBDA, memory.sizeBytes)) {
    throw new VmmError('IMAGE_TOO_LARGE', `Cannot load ${image.bytes.length} bytes at 0x${address.toString(16)}: they reach beyond 0x${ADDRESS.EBDA.toString(16)}`, { hint: 'Load less, and the rest from there.' });
  }
  memory.write(address, image.bytes);
  installBiosServices(memory, e820Map(memory.sizeBytes));
  const codeSegment = entry < 0x1_0000 ? 0 : entry >> 4;
  return realModeState({ segment: 0, codeSegment, rip: entry - codeSegment * 16, rsp: ADDRESS.BOOT_SECTOR, registers: { rdx: BOOT_DRIVE } });
}

const MAX_ROM_BYTES = 0x100_0000;
const SHADOW_BYTES = 0x2_0000;

/**
 * A BIOS image: its end at 4 GiB, its last 128 KiB also below 1 MiB. `writeRom` is for memory outside RAM: the caller makes the
 * ROM there. The processor starts as after reset, so this answers where, not how.
 */
export function loadRom(memory: GuestMemory, image: Uint8Array, writeRom: (gpa: number, bytes: Uint8Array) => void): { readonly base: number } {
  if (image.length === 0 || image.length % 0x1_0000 !== 0 || image.length > MAX_ROM_BYTES) {
    throw new VmmError('IMAGE_INVALID', `Cannot use a ROM of ${image.length} bytes`, { hint: 'A BIOS image is a multiple of 64 KiB, up to 16 MiB.' });
  }
  const base = ADDRESS.FOUR_GIB - image.length;
  writeRom(base, image);
  const shadow = image.subarray(-SHADOW_BYTES);
  memory.write(ADDRESS.HIGH_MEMORY - shadow.length, shadow);
  return { base };
}
