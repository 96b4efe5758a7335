import { message, plane } from '../message.ts';

/** Plane `translation`: the vCPU's thread to the translator worker. Posted; what was made comes back through a message port, for modules cannot lie in a ring. */
export const TranslationMessages = plane('translation', {
  /** A region is wanted: see `RegionJob` of `@vmm/translator`. `recipe`: words, none for no recipe. */
  job: message(1, { executions: 'f64', id: 'u32', slot: 'u32', host: 'u32', lo: 'u32', hi: 'u32', codeBase: 'u32', codeLimit: 'u32', modeKey: 'u32', isRemake: 'u32', recipe: 'bytes' }),
  /** A call, by the key of where it returns to, is to have its function in the region when that is made again. */
  inline: message(2, { key: 'f64', id: 'u32' }),
  /** A region is not in use any more. */
  gone: message(3, { id: 'u32' }),
  /** How an instruction, by key, makes its accesses from now on. */
  site: message(5, { key: 'f64', kind: 'u32' }),
  /** So many batches have been taken. */
  seen: message(4, { batches: 'u32' }),
});
