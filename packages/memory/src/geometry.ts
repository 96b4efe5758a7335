import { VmmError } from '@vmm/spec';
import { VCPU_LAYOUT } from '@vmm/state';

export interface MachineGeometry {
  readonly vcpus: number;
  readonly ramBytes: number;
  readonly romBytes: number;
}

/** Where everything lies in machine memory: per-vCPU areas, RAM, ROM, page attributes. All offsets are page aligned. */
export interface MachineLayout extends MachineGeometry {
  readonly ramBase: number;
  readonly romBase: number;
  readonly attributesBase: number;
  readonly totalBytes: number;
}

export const PAGE_BYTES = 0x1000;
const WASM_PAGE_BYTES = 0x1_0000;
const WASM_LIMIT_BYTES = 0x1_0000_0000;
/** RAM ends where the PCI hole of a PC begins; more needs RAM above 4 GiB and a second memory. */
export const RAM_LIMIT_BYTES = 0xc000_0000;

export function layOutMachine({ ramBytes, vcpus, romBytes }: MachineGeometry): MachineLayout {
  requirePages('RAM size', ramBytes);
  if (romBytes !== 0) requirePages('ROM size', romBytes);
  if (!Number.isInteger(vcpus) || vcpus < 1) {
    throw new VmmError('OPTION_INVALID', `Cannot lay out machine memory: ${vcpus} vCPUs`, { hint: 'Ask for at least one whole vCPU.' });
  }
  const ramBase = vcpus * VCPU_LAYOUT.sizeBytes;
  const romBase = ramBase + ramBytes;
  const attributesBase = romBase + romBytes;
  const attributesBytes = Math.ceil((ramBytes + romBytes) / PAGE_BYTES / PAGE_BYTES) * PAGE_BYTES;
  const totalBytes = Math.ceil((attributesBase + attributesBytes) / WASM_PAGE_BYTES) * WASM_PAGE_BYTES;
  if (ramBytes > RAM_LIMIT_BYTES || totalBytes > WASM_LIMIT_BYTES) {
    throw new VmmError('MEMORY_INVALID', `Cannot lay out ${mebibytes(ramBytes)} MiB of RAM for ${vcpus} vCPUs`, {
      hint: `A machine holds at most ${mebibytes(RAM_LIMIT_BYTES)} MiB of RAM, and all its memory must fit 4 GiB: ask for less.`,
    });
  }
  return { vcpus, ramBytes, romBytes, ramBase, romBase, attributesBase, totalBytes };
}

export function mebibytes(bytes: number): number {
  return Math.round(bytes / 0x10_0000 * 100) / 100;
}

function requirePages(what: string, bytes: number): void {
  if (Number.isInteger(bytes) && bytes > 0 && bytes % PAGE_BYTES === 0) return;
  throw new VmmError('OPTION_INVALID', `Cannot lay out machine memory: ${what} of ${bytes} bytes`, {
    hint: 'Give a positive multiple of 4096 bytes.',
  });
}
