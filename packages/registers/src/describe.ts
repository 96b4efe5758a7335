import type { RegisterMap } from './field.ts';

/** One line a field, `0x04 control[12:10] sleepType rw = 0`: for READMEs and debuggers. */
export function describeMap(map: RegisterMap): string[] {
  return Object.entries(map).flatMap(([name, register]) => Object.entries(register.fields).map(([fieldName, field]) => {
    const bits = field.width === 1 ? `${field.lsb}` : `${field.lsb + field.width - 1}:${field.lsb}`;
    return `0x${register.offset.toString(16).padStart(2, '0')} ${name}[${bits}] ${fieldName} ${field.access} = ${field.reset}`;
  }));
}
