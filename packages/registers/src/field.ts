/**
 * How the guest may use a field: read-write, read-only, write-only (reads as zero), write one to clear, write one to
 * set, read clears. Bits in no field are reserved: they read as zero and ignore writes.
 */
export type Access = 'rw' | 'ro' | 'wo' | 'w1c' | 'w1s' | 'rc';

export interface Field {
  readonly access: Access;
  readonly lsb: number;
  readonly width: number;
  readonly reset: number;
}

type FieldMaker = (lsb: number, width?: number, reset?: number) => Field;

const maker = (access: Access): FieldMaker => (lsb, width = 1, reset = 0) => ({ access, lsb, width, reset });

export const rw = maker('rw');
export const ro = maker('ro');
export const wo = maker('wo');
export const w1c = maker('w1c');
export const w1s = maker('w1s');
export const rc = maker('rc');

export interface Register<Name extends string = string> {
  readonly offset: number;
  /** In bytes: 1, 2 or 4. */
  readonly size: 1 | 2 | 4;
  readonly fields: Readonly<Record<Name, Field>>;
}

export type RegisterMap = Readonly<Record<string, Register>>;

/** Fields of one register of a map. */
export type FieldOf<Registers extends RegisterMap, Name extends keyof Registers> = keyof Registers[Name]['fields'] & string;

const register = (size: 1 | 2 | 4) => <Name extends string>(offset: number, fields: Record<Name, Field>): Register<Name> =>
  ({ offset, size, fields });

export const reg8 = register(1);
export const reg16 = register(2);
export const reg32 = register(4);

/** The bits of a field, in place. */
export function fieldMask(field: Field): number {
  const ones = field.width === 32 ? 0xffff_ffff : (1 << field.width) - 1;
  return (ones << field.lsb) >>> 0;
}
