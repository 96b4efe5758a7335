export { cacheFolder } from './cache-folder.ts';
export { GUESTS, type GuestArchitecture, type GuestDefinition } from './catalogue.ts';
export { type CpioEntry, writeCpio } from './cpio.ts';
export { type InitramfsOptions, makeInitramfs } from './initramfs.ts';
export { type Guest, obtainGuest, type ObtainOptions } from './obtain.ts';
export type { GuestProgress, ReportProgress } from './progress.ts';
export { obtainPrograms, type ProgramsOptions } from './programs.ts';
