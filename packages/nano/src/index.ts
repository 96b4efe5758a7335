export { COMMANDS } from './texts.asm.ts';
export { nanoKernel } from './kernel.ts';
