import { transferHandlers } from 'comlink';
import { VmmError } from '@vmm/spec';
import type { VmmErrorCode } from '@vmm/spec';

/** An error as plain data: structured clone drops subclasses and their fields. */
export interface WireError {
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly hint: string | undefined;
}

export function toWire(error: unknown): WireError {
  if (error instanceof VmmError) return { message: error.message, stack: error.stack, code: error.code, hint: error.hint };
  if (error instanceof Error) return { message: error.message, stack: error.stack, code: undefined, hint: undefined };
  return { message: String(error), stack: undefined, code: undefined, hint: undefined };
}

export function fromWire(wire: WireError): Error {
  const error = wire.code === undefined
    ? new Error(wire.message)
    : new VmmError(wire.code as VmmErrorCode, wire.message, wire.hint === undefined ? {} : { hint: wire.hint });
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

interface Thrown { readonly value: unknown }

/** Makes comlink carry `VmmError` whole. Both ends call it; calling it again does nothing. */
export function carryErrors(): void {
  const base = transferHandlers.get('throw');
  if (base === undefined || carried) return;
  carried = true;
  transferHandlers.set('throw', {
    canHandle: (value): value is unknown => base.canHandle(value),
    serialize: (thrown: unknown) => [{ vmm: toWire((thrown as Thrown).value) }, []],
    deserialize: (wire: { readonly vmm: WireError }) => { throw fromWire(wire.vmm); },
  });
}
let carried = false;
