import { message, plane } from '../message.ts';

/** Plane `console`: bytes of a serial line, one ring a direction. The reader sees them in order; records have no meaning of their own. */
export const ConsoleMessages = plane('console', {
  data: message(1, { data: 'bytes' }),
});
