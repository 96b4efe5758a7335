export { configJsonSchema, configSchema } from './config-schema.ts';
export type { Config } from './config-schema.ts';
export { EXIT } from './exit-code.ts';
export { runProgram } from './program.ts';
