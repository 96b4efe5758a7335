/** The PC's fixed I/O ports: ISA system architecture as Intel's PIIX3 datasheet §2.5 and the ACPI and QEMU board descriptions list them. */
export const PORT = {
  DMA1: 0x00,
  PIC_MASTER_COMMAND: 0x20,
  PIC_MASTER_DATA: 0x21,
  PIT_CHANNEL0: 0x40,
  PIT_CHANNEL1: 0x41,
  PIT_CHANNEL2: 0x42,
  PIT_CONTROL: 0x43,
  KEYBOARD_DATA: 0x60,
  /** NMI status, speaker and PIT channel 2 gate. */
  SYSTEM_CONTROL_B: 0x61,
  KEYBOARD_COMMAND: 0x64,
  CMOS_INDEX: 0x70,
  CMOS_DATA: 0x71,
  POST_CODE: 0x80,
  DMA_PAGE: 0x81,
  /** A20 gate and fast reset. */
  SYSTEM_CONTROL_A: 0x92,
  PIC_SLAVE_COMMAND: 0xa0,
  PIC_SLAVE_DATA: 0xa1,
  DMA2: 0xc0,
  /** Bochs and QEMU debug console. */
  DEBUG_CONSOLE: 0xe9,
  /** QEMU isa-debug-exit. */
  DEBUG_EXIT: 0xf4,
  COM4: 0x2e8,
  COM2: 0x2f8,
  COM3: 0x3e8,
  COM1: 0x3f8,
  ELCR1: 0x4d0,
  ELCR2: 0x4d1,
  FW_CFG_SELECTOR: 0x510,
  FW_CFG_DATA: 0x511,
  FW_CFG_DMA: 0x514,
  PCI_CONFIG_ADDRESS: 0xcf8,
  RESET_CONTROL: 0xcf9,
  PCI_CONFIG_DATA: 0xcfc,
} as const;
