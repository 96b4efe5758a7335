import { PCI_CLASS, PCI_COMMAND } from '@vmm/spec';
import { PciFunction } from './pci-function.ts';

export interface I440fxOptions {
  /**
   * The guest has changed the programmable attribute map: seven bytes from 0x59, two regions each (low nibble first),
   * bit 0 of a nibble: reads go to RAM, bit 1: writes do (82441FX datasheet §3.2.18).
   */
  readonly onAttributeMap?: (registers: readonly number[]) => void;
  /** The guest has changed SMRAM control (0x72). */
  readonly onSmram?: (value: number) => void;
}

const PAM = 0x59;
const PAM_REGISTERS = 7;
const SMRAM = 0x72;

/** 82441FX: host bridge, device 0 of bus 0. */
export function i440fxHostBridge(options: I440fxOptions = {}): PciFunction {
  const fn: PciFunction = new PciFunction({
    name: 'i440fx', vendorId: 0x8086, deviceId: 0x1237, classCode: PCI_CLASS.BRIDGE_HOST, revision: 2,
    command: PCI_COMMAND.MEMORY | PCI_COMMAND.BUS_MASTER | PCI_COMMAND.SERR,
    registers: [
      { offset: PAM, bytes: Array<number>(PAM_REGISTERS).fill(0), writable: [0x30, ...Array<number>(PAM_REGISTERS - 1).fill(0x33)] },
      { offset: SMRAM, bytes: [0x02], writable: [0x7f] },
    ],
    onWrite(offset, size) {
      const touches = (at: number, length: number): boolean => offset < at + length && offset + size > at;
      if (touches(PAM, PAM_REGISTERS)) options.onAttributeMap?.(Array.from({ length: PAM_REGISTERS }, (_, i) => fn.configRead(PAM + i, 1)));
      if (touches(SMRAM, 1)) options.onSmram?.(fn.configRead(SMRAM, 1));
    },
  });
  return fn;
}
