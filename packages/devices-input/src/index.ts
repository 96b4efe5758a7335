export { I8042 } from './i8042.ts';
export type { I8042Options } from './i8042.ts';
export type { Ps2Keyboard } from './ps2-keyboard.ts';
export type { Ps2Mouse } from './ps2-mouse.ts';
export { isKeyCode, SCAN_CODES } from './scan-codes.ts';
export type { KeyCode } from './scan-codes.ts';
