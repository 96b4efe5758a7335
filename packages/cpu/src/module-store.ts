import type { HelperTypes } from './interpreter-module.ts';

/** Where the interpreter's module is kept from one start of a program to the next: making it takes longer than all else of a virtual CPU. */
export interface ModuleStore {
  /** What was saved under this key (letters, digits, dashes) by this very program, or nothing. */
  load(key: string): Uint8Array<ArrayBuffer> | undefined;
  save(key: string, bytes: Uint8Array): void;
}

export interface BuiltModule { readonly bytes: Uint8Array<ArrayBuffer>; readonly helperTypes: HelperTypes }

const LENGTH_BYTES = 4;

/** From the store, or built and put there. `key` names everything that the module depends on besides the program. */
export function keptModule(store: ModuleStore | undefined, key: string, build: () => BuiltModule): BuiltModule {
  const saved = store?.load(key);
  if (saved !== undefined) return unpack(saved);
  const built = build();
  store?.save(key, pack(built));
  return built;
}

/** Length of the types, the types as JSON, the module. */
function pack({ bytes, helperTypes }: BuiltModule): Uint8Array {
  const types = new TextEncoder().encode(JSON.stringify(helperTypes)), packed = new Uint8Array(LENGTH_BYTES + types.length + bytes.length);
  new DataView(packed.buffer).setUint32(0, types.length, true);
  packed.set(types, LENGTH_BYTES);
  packed.set(bytes, LENGTH_BYTES + types.length);
  return packed;
}
function unpack(packed: Uint8Array<ArrayBuffer>): BuiltModule {
  const end = LENGTH_BYTES + new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
  return { helperTypes: JSON.parse(new TextDecoder().decode(packed.subarray(LENGTH_BYTES, end))) as HelperTypes, bytes: packed.slice(end) };
}
