/** 8259A datasheet, initialization and operation command words. */
export const PIC = {
  /** ICW1 is told from OCW2 and OCW3 by this bit. */
  ICW1_INIT: 1 << 4,
  ICW1_ICW4_NEEDED: 1 << 0,
  ICW1_SINGLE: 1 << 1,
  ICW1_LEVEL: 1 << 3,
  ICW4_8086: 1 << 0,
  ICW4_AUTO_EOI: 1 << 1,
  ICW4_SPECIAL_FULLY_NESTED: 1 << 4,
  OCW2_EOI: 1 << 5,
  OCW2_SPECIFIC: 1 << 6,
  OCW2_ROTATE: 1 << 7,
  OCW2_LEVEL_MASK: 7,
  /** OCW3 is told from OCW2 by this bit. */
  OCW3_SELECT: 1 << 3,
  OCW3_READ_ISR: 1 << 0,
  OCW3_READ_REGISTER: 1 << 1,
  OCW3_POLL: 1 << 2,
  OCW3_SPECIAL_MASK: 1 << 5,
  OCW3_SPECIAL_MASK_ENABLE: 1 << 6,
} as const;

/** 8254 datasheet, control word format and read-back command. */
export const PIT = {
  FREQUENCY_HZ: 1_193_182,
  CHANNEL_SHIFT: 6,
  CHANNEL_READ_BACK: 3,
  ACCESS_SHIFT: 4,
  ACCESS_LATCH: 0,
  ACCESS_LOW: 1,
  ACCESS_HIGH: 2,
  ACCESS_LOW_HIGH: 3,
  MODE_SHIFT: 1,
  MODE_MASK: 7 << 1,
  BCD: 1 << 0,
  /** Active low: latch the counts of the selected channels. */
  READ_BACK_COUNT: 1 << 5,
  /** Active low: latch the status of the selected channels. */
  READ_BACK_STATUS: 1 << 4,
  STATUS_OUT: 1 << 7,
  STATUS_NULL_COUNT: 1 << 6,
} as const;

/** MC146818A datasheet: RTC registers behind ports 0x70/0x71; CENTURY is the PC's convention (ACPI FADT names it). */
export const RTC = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  DAY_OF_WEEK: 0x06,
  DAY_OF_MONTH: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  CENTURY: 0x32,
} as const;

/** MC146818A datasheet: bits of registers A to D. */
export const RTC_BITS = {
  A_UIP: 1 << 7,
  A_RATE_MASK: 0xf,
  B_DST: 1 << 0,
  B_24H: 1 << 1,
  B_BINARY: 1 << 2,
  B_SQUARE_WAVE: 1 << 3,
  B_UPDATE_INTERRUPT: 1 << 4,
  B_ALARM_INTERRUPT: 1 << 5,
  B_PERIODIC_INTERRUPT: 1 << 6,
  B_SET: 1 << 7,
  C_UPDATE: 1 << 4,
  C_ALARM: 1 << 5,
  C_PERIODIC: 1 << 6,
  C_IRQ: 1 << 7,
  D_VALID: 1 << 7,
} as const;

/** 82371SB datasheet §2.5.4: NMI status and control (port 0x61). */
export const SYSTEM_CONTROL_B = {
  TIMER2_GATE: 1 << 0,
  SPEAKER_DATA: 1 << 1,
  PARITY_DISABLE: 1 << 2,
  IOCHK_DISABLE: 1 << 3,
  REFRESH_TOGGLE: 1 << 4,
  TIMER2_OUT: 1 << 5,
} as const;

/** PC16550D datasheet, Table II: registers, offsets from the base port. */
export const UART = {
  /** RBR on read, THR on write; divisor latch low while DLAB. */
  DATA: 0,
  /** Divisor latch high while DLAB. */
  IER: 1,
  /** IIR on read, FCR on write. */
  IIR: 2,
  FCR: 2,
  LCR: 3,
  MCR: 4,
  LSR: 5,
  MSR: 6,
  SCRATCH: 7,
  CLOCK_HZ: 1_843_200,
} as const;

/** PC16550D datasheet, §8: bits of the registers. */
export const UART_BITS = {
  IER_RECEIVED: 1 << 0,
  IER_TRANSMIT_EMPTY: 1 << 1,
  IER_LINE_STATUS: 1 << 2,
  IER_MODEM_STATUS: 1 << 3,
  IIR_MODEM_STATUS: 0x0,
  IIR_NONE: 0x1,
  IIR_TRANSMIT_EMPTY: 0x2,
  IIR_RECEIVED: 0x4,
  IIR_LINE_STATUS: 0x6,
  IIR_TIMEOUT: 0xc,
  IIR_FIFO_ENABLED: 0xc0,
  FCR_ENABLE: 1 << 0,
  FCR_CLEAR_RECEIVE: 1 << 1,
  FCR_CLEAR_TRANSMIT: 1 << 2,
  FCR_TRIGGER_SHIFT: 6,
  LCR_WORD_MASK: 3,
  LCR_STOP: 1 << 2,
  LCR_PARITY: 1 << 3,
  LCR_BREAK: 1 << 6,
  LCR_DLAB: 1 << 7,
  MCR_DTR: 1 << 0,
  MCR_RTS: 1 << 1,
  MCR_OUT1: 1 << 2,
  MCR_OUT2: 1 << 3,
  MCR_LOOP: 1 << 4,
  LSR_DATA_READY: 1 << 0,
  LSR_OVERRUN: 1 << 1,
  LSR_PARITY: 1 << 2,
  LSR_FRAMING: 1 << 3,
  LSR_BREAK: 1 << 4,
  LSR_TRANSMIT_HOLDING_EMPTY: 1 << 5,
  LSR_TRANSMITTER_EMPTY: 1 << 6,
  LSR_FIFO_ERROR: 1 << 7,
  MSR_DELTA_CTS: 1 << 0,
  MSR_DELTA_DSR: 1 << 1,
  MSR_TRAILING_RI: 1 << 2,
  MSR_DELTA_DCD: 1 << 3,
  MSR_CTS: 1 << 4,
  MSR_DSR: 1 << 5,
  MSR_RI: 1 << 6,
  MSR_DCD: 1 << 7,
} as const;
