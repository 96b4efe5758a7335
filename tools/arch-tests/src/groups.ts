import type { Group } from './group.ts';
import { AVX_GROUPS } from './groups-avx.ts';
import { INTEGER_GROUPS } from './groups-integer.ts';
import { SSE_GROUPS } from './groups-sse.ts';
import { X87_GROUPS } from './groups-x87.ts';

export const GROUPS: readonly Group[] = [...INTEGER_GROUPS, ...SSE_GROUPS, ...X87_GROUPS, ...AVX_GROUPS];
