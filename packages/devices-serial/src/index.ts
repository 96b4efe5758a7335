export { Uart16550 } from './uart16550.ts';
export type { Uart16550Options } from './uart16550.ts';
