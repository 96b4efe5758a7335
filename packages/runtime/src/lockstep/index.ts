export { Lockstep } from './lockstep.ts';
export type { Divergence, LockstepCounters, LockstepOptions } from './lockstep.ts';
export type { Culprit } from './culprit.ts';
export type { Miss } from './follower.ts';
export type { LeaderStatus } from './leader.ts';
export type { Difference } from './snapshot.ts';
