export { CLIFFS, MEMORY_MIB } from './cliffs.asm.ts';
export { cliffsImage } from './cliffs.ts';
