/** 8042 as the IBM PS/2 hardware interface technical reference describes it ("Keyboard and auxiliary device controller"). */
export const I8042_STATUS = {
  OUTPUT_FULL: 1 << 0,
  INPUT_FULL: 1 << 1,
  SYSTEM: 1 << 2,
  COMMAND: 1 << 3,
  /** Clear: the key lock is turned. */
  UNLOCKED: 1 << 4,
  AUX_DATA: 1 << 5,
  TIMEOUT: 1 << 6,
  PARITY: 1 << 7,
} as const;

/** The command byte, RAM byte 0 of the controller. */
export const I8042_CONTROL = {
  KEYBOARD_INTERRUPT: 1 << 0,
  AUX_INTERRUPT: 1 << 1,
  SYSTEM: 1 << 2,
  KEYBOARD_DISABLE: 1 << 4,
  AUX_DISABLE: 1 << 5,
  TRANSLATE: 1 << 6,
} as const;

export const I8042_COMMAND = {
  /** 0x20 to 0x3F read the controller's RAM, 0x60 to 0x7F write it; byte 0 is the command byte. */
  READ_RAM: 0x20,
  WRITE_RAM: 0x60,
  DISABLE_AUX: 0xa7,
  ENABLE_AUX: 0xa8,
  TEST_AUX: 0xa9,
  SELF_TEST: 0xaa,
  TEST_KEYBOARD: 0xab,
  DISABLE_KEYBOARD: 0xad,
  ENABLE_KEYBOARD: 0xae,
  READ_INPUT_PORT: 0xc0,
  READ_OUTPUT_PORT: 0xd0,
  WRITE_OUTPUT_PORT: 0xd1,
  WRITE_KEYBOARD_OUTPUT: 0xd2,
  WRITE_AUX_OUTPUT: 0xd3,
  WRITE_AUX: 0xd4,
  DISABLE_A20: 0xdd,
  ENABLE_A20: 0xdf,
  /** 0xF0 to 0xFF pulse the output port lines whose bit is clear; line 0 is the processor's reset. */
  PULSE: 0xf0,
} as const;

export const I8042_OUTPUT_PORT = {
  /** Low: reset. */
  NOT_RESET: 1 << 0,
  A20: 1 << 1,
  KEYBOARD_FULL: 1 << 4,
  AUX_FULL: 1 << 5,
} as const;

/** PS/2 keyboard and mouse: commands from the host. */
export const PS2_COMMAND = {
  SCALE_1_TO_1: 0xe6,
  SCALE_2_TO_1: 0xe7,
  SET_RESOLUTION: 0xe8,
  STATUS: 0xe9,
  STREAM_MODE: 0xea,
  READ_DATA: 0xeb,
  RESET_WRAP_MODE: 0xec,
  SET_LEDS: 0xed,
  /** Keyboard: echo; mouse: wrap mode. */
  ECHO: 0xee,
  /** Keyboard: scan code set; mouse: remote mode. */
  SCAN_CODE_SET: 0xf0,
  IDENTIFY: 0xf2,
  /** Keyboard: typematic rate and delay; mouse: sample rate. */
  SET_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULTS: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
} as const;

/** PS/2 devices: answers. */
export const PS2_ANSWER = {
  SELF_TEST_PASSED: 0xaa,
  ACK: 0xfa,
  RESEND: 0xfe,
} as const;
