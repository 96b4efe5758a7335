export { Pit } from './pit.ts';
export type { PitOptions } from './pit.ts';
