export { cmosBytes } from './cmos-bytes.ts';
export type { CmosBytesOptions } from './cmos-bytes.ts';
export { Pit } from './pit.ts';
export type { PitOptions } from './pit.ts';
export { Rtc } from './rtc.ts';
export type { RtcOptions } from './rtc.ts';
