/** A CPU without an interpreter, on the real MMU, for tests of the system half: tables are built by hand, callouts are called by name. */
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { StateView, VCPU_LAYOUT } from '@vmm/state';
import { CR0, CR4, EFER, GPR, SEG } from './architecture.ts';
import { applyBootState } from './boot-state.ts';
import type { BootSegment, BootState, SegmentName } from './boot-state.ts';
import { CALLOUTS } from './callouts.ts';
import type { SystemCalloutName } from './callouts.ts';
import { Cpu } from './cpu.ts';
import type { CpuOptions } from './cpu.ts';
import { readFlags } from './flags.ts';
import { CPU_MODELS } from './models.ts';
import type { CpuMmu } from './ports.ts';
import type { Status } from './status.ts';
import type { Vcpu } from './vcpu.ts';

/** Where the fixture keeps its tables. */
export const AT = { gdt: 0x1000, idt: 0x2000, tss: 0x3000, ldt: 0x3800, tss2: 0x4000, pml4: 0x1_0000, pdpt: 0x1_1000, pd: 0x1_2000 } as const;

/** Selectors of the descriptors that every fixture starts with. */
export const SELECTOR = {
  code0: 0x08, data0: 0x10, code3: 0x1b, data3: 0x23, tss: 0x28, code64: 0x38, code16: 0x40, conforming: 0x48, readOnly: 0x50, absent: 0x58,
  user64: 0x63, ldt: 0x68, data1: 0x79, code1: 0x81, data16: 0x88, expandDown: 0x90, tss2: 0x98, executeOnly: 0xa0, small: 0xa8, gate: 0xb3,
} as const;

export interface DescriptorFields {
  readonly base?: number;
  /** The 20-bit field. */
  readonly limit?: number;
  /** Descriptor bits 40..47: P DPL S type. */
  readonly access: number;
  /** Bits 52..55: G D/B L AVL. */
  readonly flags?: number;
}

export class TestMachine {
  readonly memory: MachineMemory;
  readonly state: StateView;
  readonly mmu: CpuMmu;
  readonly cpu: Cpu;
  readonly portLog: string[] = [];
  tsc = 1000n;

  /** `whole`: builds its tables in the memory of a CPU that has an interpreter too. */
  constructor(options: Partial<CpuOptions> = {}, whole?: Vcpu) {
    if (whole) {
      this.memory = whole.memory;
      this.state = whole.state;
      this.mmu = whole.mmu;
      this.cpu = whole.cpu;
      return;
    }
    this.memory = new MachineMemory({ ramBytes: 0x40_0000 });
    const privateBase = this.memory.vcpuBase(0);
    this.state = new StateView(this.memory.buffer, privateBase + VCPU_LAYOUT.state);
    this.state.set('faultVector', -1);
    this.mmu = new EptMmu({ memory: this.memory, state: this.state, privateBase });
    this.cpu = new Cpu({
      state: this.state, mmu: this.mmu, model: CPU_MODELS.default64, clock: { readTsc: () => this.tsc, tscHz: 2_000_000_000 },
      ports: {
        read: (port, size) => { this.portLog.push(`in ${port.toString(16)} ${size}`); return 0x1234_5678; },
        write: (port, size, value) => { this.portLog.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`); },
      },
      ...options,
    });
    this.cpu.reset();
  }

  // Guest memory.

  write16(at: number, value: number): void { this.memory.data.setUint16(this.memory.ramBase + at, value, true); }
  write32(at: number, value: number): void { this.memory.data.setUint32(this.memory.ramBase + at, value, true); }
  write64(at: number, value: bigint): void { this.memory.data.setBigUint64(this.memory.ramBase + at, value, true); }
  write8(at: number, value: number): void { this.memory.data.setUint8(this.memory.ramBase + at, value); }
  read8(at: number): number { return this.memory.data.getUint8(this.memory.ramBase + at); }
  read16(at: number): number { return this.memory.data.getUint16(this.memory.ramBase + at, true); }
  read32(at: number): number { return this.memory.data.getUint32(this.memory.ramBase + at, true); }
  read64(at: number): bigint { return this.memory.data.getBigUint64(this.memory.ramBase + at, true); }
  /** `count` words of the stack, the top first. */
  stack32(count: number): number[] { return Array.from({ length: count }, (_, i) => this.read32(this.state.lo('gpr', GPR.RSP) + 4 * i)); }
  stack64(count: number): bigint[] { return Array.from({ length: count }, (_, i) => this.read64(this.state.lo('gpr', GPR.RSP) + 8 * i)); }

  descriptor(selector: number, { base = 0, limit = 0xf_ffff, access, flags = 0xc }: DescriptorFields): void {
    const at = (selector & 4 ? AT.ldt : AT.gdt) + (selector & 0xfff8);
    this.write32(at, limit & 0xffff | base << 16);
    this.write32(at + 4, base >>> 16 & 0xff | access << 8 | limit & 0xf_0000 | flags << 20 | base & 0xff00_0000);
  }

  gate(vector: number, selector: number, offset: number, access = 0x8e): void {
    this.write32(AT.idt + 8 * vector, offset & 0xffff | selector << 16);
    this.write32(AT.idt + 8 * vector + 4, offset & 0xffff_0000 | access << 8);
  }
  gate64(vector: number, selector: number, offset: bigint, options: { access?: number; ist?: number } = {}): void {
    const lo = Number(offset & 0xffff_ffffn);
    this.write32(AT.idt + 16 * vector, lo & 0xffff | selector << 16);
    this.write32(AT.idt + 16 * vector + 4, lo & 0xffff_0000 | (options.access ?? 0x8e) << 8 | (options.ist ?? 0));
    this.write64(AT.idt + 16 * vector + 8, offset >> 32n);
  }
  callGate(selector: number, target: number, offset: number, { access = 0xec, parameters = 0 } = {}): void {
    const at = AT.gdt + (selector & 0xfff8);
    this.write32(at, offset & 0xffff | target << 16);
    this.write32(at + 4, offset & 0xffff_0000 | access << 8 | parameters);
  }

  #tables(): void {
    const d = this.descriptor.bind(this);
    d(SELECTOR.code0, { access: 0x9a });
    d(SELECTOR.data0, { access: 0x92 });
    d(SELECTOR.code3, { access: 0xfa });
    d(SELECTOR.data3, { access: 0xf2 });
    d(SELECTOR.tss, { base: AT.tss, limit: 0x67, access: 0x89, flags: 0 });
    d(SELECTOR.code64, { access: 0x9a, flags: 0xa });
    d(SELECTOR.code16, { access: 0x9a, limit: 0xffff, flags: 0 });
    d(SELECTOR.conforming, { access: 0x9e });
    d(SELECTOR.readOnly, { access: 0xf0 });
    d(SELECTOR.absent, { access: 0x72 });
    d(SELECTOR.user64, { access: 0xfa, flags: 0xa });
    d(SELECTOR.ldt, { base: AT.ldt, limit: 0x7f, access: 0x82, flags: 0 });
    d(SELECTOR.data1, { access: 0xb2 });
    d(SELECTOR.code1, { access: 0xba });
    d(SELECTOR.data16, { access: 0x92, limit: 0xffff, flags: 0 });
    d(SELECTOR.expandDown, { access: 0x96, limit: 0x0f, flags: 0xc });
    d(SELECTOR.tss2, { base: AT.tss2, limit: 0x67, access: 0x89, flags: 0 });
    d(SELECTOR.executeOnly, { access: 0x98 });
    d(SELECTOR.small, { access: 0x9a, limit: 0xfff, flags: 0x4 });
    this.write32(AT.tss + 4, 0x9_0000);
    this.write32(AT.tss + 8, SELECTOR.data0);
    this.write32(AT.tss + 12, 0x9_8000);
    this.write32(AT.tss + 16, SELECTOR.data1);
    this.write16(AT.tss + 0x66, 0x68);
  }

  /** Protected mode without paging at `cpl`, flat segments, interrupts off. */
  protected(cpl: 0 | 1 | 3 = 0, overrides: Partial<BootState> = {}): this {
    this.#tables();
    const code = { 0: SELECTOR.code0, 1: SELECTOR.code1, 3: SELECTOR.code3 }[cpl], data = { 0: SELECTOR.data0, 1: SELECTOR.data1, 3: SELECTOR.data3 }[cpl];
    const dpl = cpl << 5;
    const flat: BootSegment = { selector: data, base: 0, limit: -1, attributes: 0xc093 | dpl };
    applyBootState(this.cpu, {
      mode: 'protected', rip: 0x5000, rsp: 0x8_0000, rflags: 2, registers: {}, cr0: CR0.PE, cr3: 0, cr4: 0, efer: 0,
      segments: {
        cs: { selector: code, base: 0, limit: -1, attributes: 0xc09b | dpl }, ss: flat, ds: flat, es: flat,
        tr: { selector: SELECTOR.tss, base: AT.tss, limit: 0x67, attributes: 0x8b },
      },
      gdtr: { base: AT.gdt, limit: 0xff }, idtr: { base: AT.idt, limit: 0x7ff }, ...overrides,
    });
    return this;
  }

  /** 64-bit mode at `cpl`, the first 4 MiB mapped one to one, for users too. */
  long(cpl: 0 | 3 = 0, overrides: Partial<BootState> = {}): this {
    this.#tables();
    this.write32(AT.tss + 4, 0x9_0000);
    this.write32(AT.tss + 8, 0);
    for (let ist = 1; ist <= 7; ist++) this.write64(AT.tss + 0x1c + 8 * ist, BigInt(0xa_0000 + 0x1000 * ist));
    this.write64(AT.gdt + (SELECTOR.tss & ~7) + 8, 0n);
    this.write64(AT.pml4, BigInt(AT.pdpt | 7));
    this.write64(AT.pdpt, BigInt(AT.pd | 7));
    this.write64(AT.pd, 0x87n);
    this.write64(AT.pd + 8, 0x20_0087n);
    const dpl = cpl << 5;
    const data: BootSegment = { selector: cpl ? SELECTOR.data3 : SELECTOR.data0, base: 0, limit: -1, attributes: 0xc093 | dpl };
    applyBootState(this.cpu, {
      mode: 'long', rip: 0x5000, rsp: 0x8_0000, rflags: 2, registers: {}, cr0: CR0.PE | CR0.PG, cr3: AT.pml4, cr4: CR4.PAE, efer: EFER.LME | EFER.SCE,
      segments: {
        cs: { selector: cpl ? SELECTOR.user64 : SELECTOR.code64, base: 0, limit: -1, attributes: 0xa09b | dpl }, ss: data, ds: data, es: data,
        tr: { selector: SELECTOR.tss, base: AT.tss, limit: 0x67, attributes: 0x8b },
      },
      gdtr: { base: AT.gdt, limit: 0xff }, idtr: { base: AT.idt, limit: 0xfff }, ...overrides,
    });
    return this;
  }

  /** Real mode at 0000:5000 with the interrupt table at 0. */
  real(overrides: Partial<BootState> = {}): this {
    const flat: BootSegment = { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 };
    const segments = Object.fromEntries((['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const).map((name): [SegmentName, BootSegment] => [name, flat]));
    applyBootState(this.cpu, {
      mode: 'real', rip: 0x5000, rsp: 0x8000, rflags: 2, registers: {}, cr0: 0, cr3: 0, cr4: 0, efer: 0, segments,
      gdtr: { base: AT.gdt, limit: 0xff }, idtr: { base: 0, limit: 0x3ff }, ...overrides,
    });
    return this;
  }

  /** Performs a callout of a two-byte instruction at RIP as generated code would. */
  call(name: SystemCalloutName, args: readonly (number | bigint)[] = [], size = 4): Status {
    this.state.set('faultVector', -1);
    const { cpu, state } = this;
    args.forEach((value, index) => {
      const big = BigInt.asUintN(64, BigInt(value));
      cpu.setArg(index, Number(big & 0xffff_ffffn) | 0, Number(big >> 32n) | 0);
    });
    const next = state.big('rip') + 2n;
    cpu.setArg(7, Number(next & 0xffff_ffffn) | 0, Number(next >> 32n) | 0);
    return CALLOUTS[name](cpu, size);
  }

  // What a test looks at.

  get fault(): { vector: number; error: number } | undefined {
    const vector = this.state.get('faultVector');
    return vector < 0 ? undefined : { vector, error: this.state.get('faultError') };
  }
  get rip(): number { return this.state.number('rip'); }
  get rsp(): number { return this.state.number('gpr', GPR.RSP); }
  get cs(): number { return this.state.get('selector', SEG.CS); }
  get ss(): number { return this.state.get('selector', SEG.SS); }
  get cpl(): number { return this.state.get('cpl'); }
  get flags(): number { return readFlags(this.state); }
  get result(): number { return this.cpu.argLo(0) >>> 0; }
  gpr(index: number, value?: number | bigint): bigint {
    if (value !== undefined) this.state.setBig('gpr', BigInt.asUintN(64, BigInt(value)), index);
    return this.state.big('gpr', index);
  }
}
