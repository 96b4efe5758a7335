/** What a vCPU sees of the interrupt controllers. `@vmm/cpu` depends on nothing else here. */
export interface CpuInterrupts {
  /** Called when any of the answers below may have changed. The vCPU sets it; it must only note the fact. */
  onChange: () => void;

  /** A maskable interrupt waits whose priority is above the processor's. Look when IF is set. */
  pending(): boolean;
  /** The INTA cycle: takes the interrupt and answers its vector, the spurious vector if it has gone away. */
  acknowledge(): number;

  /** Whether one of the events below waits. */
  hasEvent(): boolean;
  /** Each takes its event: answers whether there was one. */
  takeNmi(): boolean;
  takeSmi(): boolean;
  takeInit(): boolean;
  /** Start-up IPI: its vector (the vCPU starts at `vector << 12`), or -1. */
  takeStartup(): number;

  /** CR8: bits 7:4 of the task priority register. */
  cr8: number;

  /** MSR APIC_BASE, as two words; `writeApicBase` answers false for #GP. */
  readonly apicBaseLow: number;
  readonly apicBaseHigh: number;
  writeApicBase(low: number, high: number): boolean;
  /** MSRs 0x800 to 0x8FF and TSC_DEADLINE. Both answer false for #GP; a read leaves its value in `msrLow`, `msrHigh`. */
  readMsr(msr: number): boolean;
  writeMsr(msr: number, low: number, high: number): boolean;
  readonly msrLow: number;
  readonly msrHigh: number;
}
