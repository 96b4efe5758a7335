export { RegionTranslator } from './translator.ts';
export type { TranslatorOptions } from './translator.ts';
export { CLASSES, classOf } from './instruction-class.ts';
export type { InstructionClass } from './instruction-class.ts';
export { POLICIES, SENSITIVE } from './sensitive.ts';
export type { Policy, Rule, Rules, SensitiveRow } from './sensitive.ts';
