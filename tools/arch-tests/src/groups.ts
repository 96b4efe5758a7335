import type { Group } from './group.ts';
import { SSE_GROUPS } from './groups-sse.ts';

export const GROUPS: readonly Group[] = [...SSE_GROUPS];
