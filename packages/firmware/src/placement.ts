/** Puts pieces of an image where it asks for them, if there is RAM and nothing of ours is in the way. */
import { VmmError } from '@vmm/spec';
import { ADDRESS } from './address-map.ts';
import type { E820Entry } from './e820.ts';
import { highMemoryEnd } from './e820.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { ElfSegment } from './elf.ts';
import { SEGMENT_TYPE } from './elf.ts';

const PAGE_BYTES = 0x1000;

/** Writes bytes and the zeros behind them up to `memoryBytes`; answers the end. */
export function placeAt(memory: GuestMemory, e820: readonly E820Entry[], base: number, bytes: Uint8Array, memoryBytes = bytes.length): number {
  const end = base + memoryBytes;
  const ramEnd = highMemoryEnd(e820);
  if (base < ADDRESS.HIGH_MEMORY) {
    throw new VmmError('KERNEL_UNSUPPORTED', `Cannot load the kernel: it wants to be at 0x${base.toString(16)}, below 1 MiB`, { hint: 'Link it at 1 MiB or above.' });
  }
  if (end > ramEnd) {
    throw new VmmError('MEMORY_INVALID', `Cannot load the kernel: it needs RAM up to 0x${end.toString(16)}, the machine's ends at 0x${ramEnd.toString(16)}`, {
      hint: `Give the machine ${Math.ceil(end / 0x10_0000)} MiB or more.`,
    });
  }
  memory.write(base, bytes.subarray(0, memoryBytes));
  if (memoryBytes > bytes.length) memory.write(base + bytes.length, new Uint8Array(memoryBytes - bytes.length));
  return end;
}

/** All loadable segments; answers the highest end. */
export function placeSegments(memory: GuestMemory, e820: readonly E820Entry[], segments: readonly ElfSegment[]): number {
  let end: number = ADDRESS.HIGH_MEMORY;
  for (const segment of segments) {
    if (segment.type !== SEGMENT_TYPE.LOAD || segment.memoryBytes === 0) continue;
    end = Math.max(end, placeAt(memory, e820, segment.physicalAddress, segment.bytes, segment.memoryBytes));
  }
  return end;
}

/** A module (RAM disk) on the pages behind everything else. */
export function placeModule(memory: GuestMemory, e820: readonly E820Entry[], after: number, bytes: Uint8Array): { base: number; length: number } {
  const base = Math.ceil(after / PAGE_BYTES) * PAGE_BYTES;
  const ramEnd = highMemoryEnd(e820);
  if (base + bytes.length > ramEnd) {
    throw new VmmError('INITRD_TOO_LARGE', `Cannot load a module of ${bytes.length} bytes: ${Math.max(0, ramEnd - base)} bytes of RAM are free`, {
      hint: `Give the machine ${Math.ceil((base + bytes.length) / 0x10_0000)} MiB or more.`,
    });
  }
  memory.write(base, bytes);
  return { base, length: bytes.length };
}
