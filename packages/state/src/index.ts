export { forgetJumps } from './jump-table.ts';
export { EVENT_CARE, STATE, STATE_FIELDS, STATE_SIZE_BYTES, TLB_ENTRY, TLB_USER_FLIP, MMU_INDEX, VCPU_LAYOUT } from './layout.ts';
export type { StateField } from './layout.ts';
export { StateView } from './state-view.ts';
