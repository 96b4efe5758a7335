export { explain } from './explain.ts';
export type { ExplainOptions, Explanation } from './explain.ts';
export { IS_PRIME } from './example.ts';
export { listBlocks } from './listing.ts';
export type { ListedBlock, ListedInstruction } from './listing.ts';
export { renderListing, renderRegion } from './render.ts';
export { guestCode } from './guest-code.ts';
export type { GuestCodeOptions } from './guest-code.ts';
