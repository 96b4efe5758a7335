import { message, plane } from '../message.ts';

/**
 * Plane `dma`: device workers ask the owner of machine memory to read or write it. One request may be answered by several `data`
 * records (a record is at most half a ring); the last one has `isLast` = 1.
 */
export const DmaMessages = plane('dma', {
  read: message(1, { iova: 'u64', length: 'u32', device: 'u32' }),
  write: message(2, { iova: 'u64', device: 'u32', data: 'bytes' }),
});

export const DmaReplies = plane('dma replies', {
  data: message(1, { isLast: 'u32', data: 'bytes' }),
  /** Write done, or access refused: `fault` is 0 or the reason. */
  done: message(2, { fault: 'u32' }),
});
