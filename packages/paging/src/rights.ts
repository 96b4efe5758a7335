import type { PagingControls } from './controls.ts';

/** What an access may do to a page. `RIGHT_FOR[kind]` is the bit an `AccessKind` needs. */
export const RIGHT = { read: 1, write: 2, execute: 4 } as const;
export const RIGHT_FOR = [RIGHT.read, RIGHT.write, RIGHT.execute, RIGHT.write] as const;

/** Who asks: the same numbers as `MMU_INDEX` in the low bits of `tlbTag`; a user whose accesses must be aligned (3) asks as `user`. */
export const ASKER = { user: 0, /** SMAP applies */ supervisor: 1, /** EFLAGS.AC set, or SMAP off */ supervisorAc: 2 } as const;
const ALIGNED_USER = 3;

export function askerOf(tlbTag: number): number {
  const index = tlbTag & 3;
  return index === ALIGNED_USER ? ASKER.user : index;
}

/** Index of `rightsTable`: asker, then what all levels together say. */
export const RIGHTS_INDEX = { noExecute: 1, writable: 2, user: 4, askerShift: 3 } as const;

/** SDM vol 3A §4.6.1 as a table of 24 rows: [asker][U][W][NX] -> RIGHT bits. Protection keys come on top. */
export function rightsTable(controls: PagingControls): Uint8Array {
  const table = new Uint8Array(24);
  for (let row = 0; row < 24; row++) {
    const noExecute = (row & RIGHTS_INDEX.noExecute) !== 0 && controls.noExecute;
    const writable = (row & RIGHTS_INDEX.writable) !== 0;
    const user = (row & RIGHTS_INDEX.user) !== 0;
    table[row] = row >> RIGHTS_INDEX.askerShift === ASKER.user
      ? userRights(user, writable, noExecute)
      : supervisorRights(controls, row >> RIGHTS_INDEX.askerShift, user, writable, noExecute);
  }
  return table;
}

function userRights(user: boolean, writable: boolean, noExecute: boolean): number {
  if (!user) return 0;
  return RIGHT.read | (writable ? RIGHT.write : 0) | (noExecute ? 0 : RIGHT.execute);
}

function supervisorRights(controls: PagingControls, asker: number, user: boolean, writable: boolean, noExecute: boolean): number {
  const data = !(user && controls.smap && asker === ASKER.supervisor);
  const fetch = !(noExecute || (user && controls.smep));
  return (data ? RIGHT.read : 0)
    | (data && (writable || !controls.writeProtect) ? RIGHT.write : 0)
    | (fetch ? RIGHT.execute : 0);
}
