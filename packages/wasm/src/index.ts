export * from './expression.ts';
export { FunctionBuilder } from './function.ts';
export type { FunctionType, Label, Local } from './function.ts';
export { FunctionRef, ModuleBuilder } from './module.ts';
export type { MemoryImport, TableImport } from './module.ts';
export { ByteWriter } from './bytes.ts';
export { disassemble } from './disassembler.ts';
export type { DisassembledFunction, DisassembledModule, DisassemblyOptions } from './disassembler.ts';
