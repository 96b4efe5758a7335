import { HEADER } from './setup-header.ts';

export interface SyntheticKernel {
  readonly version?: number;
  readonly setupSectors?: number;
  readonly systemBytes?: number;
  readonly xloadFlags?: number;
  readonly isRelocatable?: boolean;
  readonly preferredAddress?: number;
  readonly initBytes?: number;
  readonly initrdMax?: number;
  readonly commandLineMax?: number;
}

/** A file that a loader must take for a bzImage; its protected-mode part counts up from 1. */
export function makeKernel(options: SyntheticKernel = {}): Uint8Array<ArrayBuffer> {
  const setupSectors = options.setupSectors ?? 4;
  const systemBytes = options.systemBytes ?? 0x4000;
  const bytes = new Uint8Array((setupSectors + 1) * 512 + systemBytes);
  const view = new DataView(bytes.buffer);
  bytes[HEADER.SETUP_SECTORS] = setupSectors;
  view.setUint32(HEADER.SYSTEM_PARAGRAPHS, systemBytes / 16, true);
  view.setUint16(HEADER.BOOT_FLAG, 0xaa55, true);
  bytes.set([0xeb, 0x66], HEADER.JUMP);
  view.setUint32(HEADER.MAGIC, 0x5372_6448, true);
  view.setUint16(HEADER.VERSION, options.version ?? 0x20f, true);
  bytes[HEADER.LOAD_FLAGS] = 1;
  view.setUint32(HEADER.INITRD_MAX, options.initrdMax ?? 0x7fff_ffff, true);
  view.setUint32(HEADER.ALIGNMENT, 0x20_0000, true);
  bytes[HEADER.IS_RELOCATABLE] = options.isRelocatable === false ? 0 : 1;
  view.setUint16(HEADER.XLOAD_FLAGS, options.xloadFlags ?? 0, true);
  view.setUint32(HEADER.COMMAND_LINE_SIZE, options.commandLineMax ?? 2047, true);
  view.setBigUint64(HEADER.PREFERRED_ADDRESS, BigInt(options.preferredAddress ?? 0x100_0000), true);
  view.setUint32(HEADER.INIT_SIZE, options.initBytes ?? 0x10_0000, true);
  bytes.fill(0, (setupSectors + 1) * 512).set(Uint8Array.from({ length: systemBytes }, (_, index) => index + 1), (setupSectors + 1) * 512);
  return bytes;
}
