import type { InstructionClass } from '@vmm/translator';

/** Where a guest was at one moment. */
export interface CodePosition {
  readonly linear: bigint;
  readonly ring: number;
  /** Of the instruction there; undefined where it cannot be read. */
  readonly kind: InstructionClass | undefined;
}

/** Samples taken between slices of the run loop, some 500 a second while the guest runs. */
export interface GuestProfile {
  readonly samples: number;
  /** Taken while the guest had halted: in no address. */
  readonly idle: number;
  readonly addresses: readonly { readonly linear: bigint; readonly ring: number; readonly count: number }[];
  readonly classes: Readonly<Partial<Record<InstructionClass, number>>>;
  /** Where SYSCALL and SYSENTER go: tells how far a kernel was moved from where its symbols say. */
  readonly syscallEntry: bigint;
  readonly sysenterEntry: bigint;
}

const RINGS = 4n;

export class ProfileCollector {
  #samples = 0;
  #idle = 0;
  /** By linear address and ring. */
  readonly #counts = new Map<bigint, number>();
  readonly #classes: Partial<Record<InstructionClass, number>> = {};

  /** `undefined`: the guest has halted. */
  note(position: CodePosition | undefined): void {
    if (position === undefined) { this.#idle++; return; }
    const { linear, ring, kind } = position, key = linear * RINGS + BigInt(ring);
    this.#samples++;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    if (kind !== undefined) this.#classes[kind] = (this.#classes[kind] ?? 0) + 1;
  }

  result(entries: Pick<GuestProfile, 'syscallEntry' | 'sysenterEntry'>): GuestProfile {
    const addresses = [...this.#counts].map(([key, count]) => ({ linear: key / RINGS, ring: Number(key % RINGS), count })).sort((a, b) => b.count - a.count);
    return { samples: this.#samples, idle: this.#idle, addresses, classes: { ...this.#classes }, ...entries };
  }
}
