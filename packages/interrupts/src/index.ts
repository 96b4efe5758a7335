export { Pic8259Pair } from './pic8259-pair.ts';
export type { Pic8259PairOptions } from './pic8259-pair.ts';
