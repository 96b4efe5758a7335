/** Direct boot of ELF kernels with a PVH entry. Xen, docs/misc/pvh.pandoc; xen/include/public/arch-x86/hvm/start_info.h */
import { VmmError } from '@vmm/spec';
import { ADDRESS } from './address-map.ts';
import { type BootState, protectedModeState } from './boot-state.ts';
import { type E820Entry, e820Map } from './e820.ts';
import { elfNotes, isElf, parseElf } from './elf.ts';
import type { GuestMemory } from './guest-memory.ts';
import { placeModule, placeSegments } from './placement.ts';
import { StructureWriter } from './structure-writer.ts';

const NOTE_OWNER = 'Xen';
/** XEN_ELFNOTE_PHYS32_ENTRY */
const NOTE_PHYS32_ENTRY = 18;
/** XEN_HVM_START_MAGIC_VALUE */
const START_MAGIC = 0x336e_c578;
const START_VERSION = 1;
const START_INFO_BYTES = 56;
const MODULE_BYTES = 32;

export interface PvhImage {
  /** An uncompressed kernel: vmlinux. */
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array | undefined;
  readonly commandLine?: string;
  /** Default: `e820Map` of the memory's size. */
  readonly e820?: readonly E820Entry[];
  readonly acpiRsdp?: number;
}

/** The 32-bit entry point the kernel's note names. */
export function findPvhEntry(bytes: Uint8Array): number | undefined {
  if (!isElf(bytes)) return undefined;
  const note = elfNotes(parseElf(bytes)).find(({ name, type }) => name === NOTE_OWNER && type === NOTE_PHYS32_ENTRY);
  if (note === undefined || note.description.length < 4) return undefined;
  return new DataView(note.description.buffer, note.description.byteOffset).getUint32(0, true);
}

export function loadPvh(memory: GuestMemory, image: PvhImage): BootState {
  const entry = findPvhEntry(image.kernel);
  if (entry === undefined) throw new VmmError('KERNEL_INVALID', 'Cannot load the kernel: no PVH entry note', { hint: 'Build Linux with CONFIG_PVH, or give its bzImage.' });
  const e820 = image.e820 ?? e820Map(memory.sizeBytes);
  const end = placeSegments(memory, e820, parseElf(image.kernel).segments);
  const initrd = image.initrd === undefined ? undefined : placeModule(memory, e820, end, image.initrd);
  memory.write(ADDRESS.COMMAND_LINE, new TextEncoder().encode(`${image.commandLine ?? ''}\0`));
  memory.write(ADDRESS.BOOT_INFORMATION, makeStartInfo(initrd, e820, image.acpiRsdp ?? 0));
  return protectedModeState(memory, { rip: entry, registers: { rbx: ADDRESS.BOOT_INFORMATION } });
}

/** struct hvm_start_info, then hvm_modlist_entry, then hvm_memmap_table_entry. */
function makeStartInfo(initrd: { base: number; length: number } | undefined, e820: readonly E820Entry[], acpiRsdp: number): Uint8Array {
  const modulesAt = ADDRESS.BOOT_INFORMATION + START_INFO_BYTES;
  const mapAt = modulesAt + MODULE_BYTES;
  const info = new StructureWriter()
    .u32(START_MAGIC, START_VERSION, /* flags */ 0, initrd === undefined ? 0 : 1)
    .u64(initrd === undefined ? 0 : modulesAt)
    .at(24).u64(ADDRESS.COMMAND_LINE)
    .u64(acpiRsdp)
    .at(40).u64(mapAt).u32(e820.length, 0)
    .at(START_INFO_BYTES).u64(initrd?.base ?? 0, initrd?.length ?? 0, /* command line */ 0, 0);
  for (const entry of e820) info.u64(entry.base, entry.length).u32(entry.type, 0);
  return info.finish();
}
