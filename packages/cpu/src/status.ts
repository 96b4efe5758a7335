/** What a callout tells generated code. */
export type Status = 0 | 1 | 2;

/** Continue with the next instruction. */
export const DONE = 0;
/** `rip` is set; mode, interrupts or privilege may have changed: dispatch anew. */
export const REDISPATCH = 1;
/** A fault is recorded in the state block and nothing else has changed. */
export const FAULT = 2;

/** Outcome of delivering an event: shutdown is the triple fault. */
export type Delivery = 'delivered' | 'shutdown';
