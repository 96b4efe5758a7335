export { RegisterBank } from './bank.ts';
export type { Hooks } from './bank.ts';
export { describeMap } from './describe.ts';
export { fieldMask, rc, reg16, reg32, reg8, ro, rw, w1c, w1s, wo } from './field.ts';
export type { Access, Field, FieldOf, Register, RegisterMap } from './field.ts';
