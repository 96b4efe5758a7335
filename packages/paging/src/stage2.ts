/** What the second level must allow for this guest-physical access. */
export const STAGE2_ACCESS = { readEntry: 0, /** accessed/dirty update */ writeEntry: 1 } as const;

/**
 * Second-level translation under a walk: identity over the machine's memory map for a bare CPU, EPT or nested page tables under a hypervisor.
 * Guest-physical addresses come as two words.
 */
export interface Stage2 {
  /** Host address of guest memory, 0 when there is none there (a hole or a device), or -1 when the second level faulted. */
  translate(lo: number, hi: number, access: number): number;
}
