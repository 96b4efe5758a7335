import type { Expr } from './expression.ts';

/**
 * A value that `let` has bound, and what became of it in code: computed in front of its uses and kept in a local of its own, or a copy of another
 * local, which is made only if that local changes before a use.
 */
export class Binding {
  /** Its own local, -1: none so far. */
  local: number;
  /** The local that it copies, with how often that had been set, and in which stretch of code; -1: it is computed. */
  readonly source: number;
  readonly version: number;
  readonly epoch: number;
  /** What is computed. */
  readonly value: Expr | undefined;
  /** Where in the code it is made: that of a copy would be, or from where to where it is computed. Its local is set at the end. */
  readonly at: number;
  end = 0;
  /** Gets of its local, and whether the first of them is the end's: a `local.tee`. */
  uses = 0;
  isTeed = false;
  /** Which uses of others it is computed from: a range of all that there were. */
  firstUse = 0;
  endUse = 0;
  /** Where the `local.tee` is that its code begins with in place of a `local.get`, and for what; -1: nowhere. */
  teeAt = -1;
  teeOf: Binding | undefined = undefined;
  /** Another local that has the value too, as of which setting of it. */
  twin = -1;
  twinVersion = 0;
  twinEpoch = 0;
  /** The block in which that is so, or in which a copy is known. */
  depth = 0;
  block = 0;
  /** In the end: where code is changed for it, which is to copy it, or to leave out so many bytes. */
  editAt = 0;
  leftOut = 0;

  constructor(local: number, source: number, version: number, epoch: number, value: Expr | undefined, at: number) {
    this.local = local;
    this.source = source;
    this.version = version;
    this.epoch = epoch;
    this.value = value;
    this.at = at;
  }
}
