export { RegionTranslator } from './translator.ts';
export type { TranslatorOptions } from './translator.ts';
