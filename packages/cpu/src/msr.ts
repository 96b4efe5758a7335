/** Model-specific registers as a table; an index that is not in it raises #GP(0). SDM vol 4 §2.1 */
import { DEBUGCTL, FEATURE_CONTROL, MSR, MTRR } from '@vmm/spec';
import { STATE } from '@vmm/state';
import type { StateField } from '@vmm/state';
import { CR0, CR4, EFER, GPR, SEG } from './architecture.ts';
import type { Cpu } from './cpu.ts';
import type { FeatureName } from './cpuid-features.ts';
import type { LastBranches } from './last-branches.ts';
import { MACHINE_CHECK } from './machine-check.ts';
import { DONE } from './status.ts';
import type { Status } from './status.ts';
import { setBase } from './system-calls.ts';

interface Entry {
  readonly name: string;
  /** Only with this CPUID feature. */
  readonly needs?: FeatureName;
  /** Leaves the value in bank.lo, bank.hi; false: #GP(0). */
  readonly read: (cpu: Cpu, bank: MsrBank) => boolean;
  readonly write: (cpu: Cpu, lo: number, hi: number, bank: MsrBank) => boolean;
}
type Rows = readonly (readonly [index: number, entry: Entry])[];

const refuse = (): boolean => false;
const ignore = (): boolean => true;

/** A register kept in the state block. `canonical`: addresses that must be canonical. */
function field(name: string, at: StateField, options: { canonical?: boolean; needs?: FeatureName; lowOnly?: boolean } = {}): Entry {
  return {
    name, ...(options.needs ? { needs: options.needs } : {}),
    read: (cpu, bank) => bank.answer(cpu.state.lo(at), cpu.state.hi(at)),
    write(cpu, lo, hi) {
      if (options.canonical && !cpu.isCanonicalBase(hi) || options.lowOnly && hi !== 0) return false;
      cpu.state.setWords(at, lo, hi);
      return true;
    },
  };
}

/** A segment base; generated code must see it at once. */
function segmentBase(name: string, index: number): Entry {
  return {
    name, needs: 'lm',
    read: (cpu, bank) => bank.answer(cpu.state.word(STATE.segmentBase + 8 * index), cpu.state.word(STATE.segmentBase + 8 * index + 4)),
    write(cpu, lo, hi) {
      if (!cpu.isCanonicalBase(hi)) return false;
      setBase(cpu, 'segmentBase', index, lo, hi);
      return true;
    },
  };
}

const constant = (name: string, lo: number, hi = 0, write: Entry['write'] = refuse): Entry => ({ name, read: (_cpu, bank) => bank.answer(lo, hi), write });

/** A register that is only kept: bits outside the mask raise #GP(0). */
function kept(name: string, index: number, maskLo: number, maskHi = 0, needs?: FeatureName): Entry {
  return {
    name, ...(needs ? { needs } : {}),
    read: (_cpu, bank) => bank.answerKept(index),
    write: (_cpu, lo, hi, bank) => (lo & ~maskLo) === 0 && (hi & ~maskHi) === 0 && bank.keep(index, lo, hi),
  };
}

/** One that keeps what `isValid`. */
function keptIf(name: string, index: number, isValid: (cpu: Cpu, lo: number, hi: number) => boolean, needs: FeatureName): Entry {
  return { name, needs, read: (_cpu, bank) => bank.answerKept(index), write: (cpu, lo, hi, bank) => isValid(cpu, lo, hi) && bank.keep(index, lo, hi) };
}

const MASK_ALL = -1;
const VARIABLE_MTRRS = 8;
/** SDM vol 4, Table 2-2 */
const PKRS = 0x6e1, UMWAIT_CONTROL = 0xe1, SMBASE = 0x9e;
/** Memory types of PAT and MTRR: UC, WC, WT, WP, WB, UC-. */
const isMemoryType = (type: number, allowsUcMinus: boolean): boolean => type === 0 || type === 1 || type === 4 || type === 5 || type === 6 || allowsUcMinus && type === 7;
const areMemoryTypes = (word: number, allowsUcMinus: boolean): boolean => [0, 8, 16, 24].every((shift) => isMemoryType(word >>> shift & 0xff, allowsUcMinus));
/** RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, and the later "not affected" bits: nothing here speculates. */
const ARCH_CAPABILITIES = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x2000 | 0x4000 | 0x8000 | 0x10_0000 | 0x100_0000 | 0x400_0000 | 0x800_0000;
/** ITS_NO. */
const ARCH_CAPABILITIES_HIGH = 1 << 30;

function writeTsc(cpu: Cpu, value: bigint): boolean {
  cpu.state.setBig('tscOffset', BigInt.asUintN(64, value - cpu.clock.readTsc()));
  return true;
}

function writeEfer(cpu: Cpu, lo: number, hi: number): boolean {
  const state = cpu.state;
  const before = state.word(STATE.efer);
  const allowed = EFER.LMA | (cpu.cpuid.has('syscall') ? EFER.SCE : 0) | (cpu.cpuid.has('lm') ? EFER.LME : 0) | (cpu.cpuid.has('nx') ? EFER.NXE : 0);
  const next = lo & ~EFER.LMA | before & EFER.LMA;
  if (hi !== 0 || lo & ~allowed || (next ^ before) & EFER.LME && state.word(STATE.cr0) & CR0.PG) return false;
  state.setPair(STATE.efer, next, 0);
  if ((next ^ before) & EFER.NXE) cpu.mmu.controlChanged();
  return true;
}

/** The guest's deadline counts from what it wrote to the TSC; the APIC's from power-on. 0 disarms. */
const TSC_DEADLINE: Entry = {
  name: 'TSC_DEADLINE', needs: 'tsc_deadline',
  read(cpu, bank) {
    if (!cpu.apic?.readMsr(MSR.TSC_DEADLINE)) return false;
    const { msrLow, msrHigh } = cpu.apic;
    return hasTscOffset(cpu) && (msrLow | msrHigh) !== 0 ? bank.answerBig(BigInt.asUintN(64, join(msrLow, msrHigh) + cpu.state.big('tscOffset'))) : bank.answer(msrLow, msrHigh);
  },
  write(cpu, lo, hi, bank) {
    if (!cpu.apic) return false;
    if (!hasTscOffset(cpu) || (lo | hi) === 0) return cpu.apic.writeMsr(MSR.TSC_DEADLINE, lo, hi);
    const due = BigInt.asIntN(64, join(lo, hi) - cpu.state.big('tscOffset'));
    // Long past is as good as just past: 1, for 0 would disarm.
    bank.answerBig(due > 0n ? due : 1n);
    return cpu.apic.writeMsr(MSR.TSC_DEADLINE, bank.lo, bank.hi);
  },
};

function hasTscOffset(cpu: Cpu): boolean { return (cpu.state.word(STATE.tscOffset) | cpu.state.word(STATE.tscOffset + 4)) !== 0; }
function join(lo: number, hi: number): bigint { return BigInt(hi >>> 0) << 32n | BigInt(lo >>> 0); }

const REGISTERS: Rows = [
  [MSR.TIME_STAMP_COUNTER, {
    name: 'TSC', needs: 'tsc',
    read: (cpu, bank) => bank.answerBig(cpu.readTsc()),
    write: (cpu, lo, hi) => writeTsc(cpu, BigInt(hi) << 32n | BigInt(lo >>> 0)),
  }],
  [MSR.PLATFORM_ID, constant('PLATFORM_ID', 0)],
  [MSR.APIC_BASE, {
    name: 'APIC_BASE', needs: 'apic',
    read: (cpu, bank) => cpu.apic ? bank.answer(cpu.apic.apicBaseLow, cpu.apic.apicBaseHigh) : false,
    write(cpu, lo, hi) {
      cpu.cpuidCache.clear();
      return hi >>> cpu.model.physicalBits - 32 === 0 && (cpu.apic?.writeApicBase(lo, hi) ?? false);
    },
  }],
  [0x2a, constant('EBL_CR_POWERON', 0, 0, ignore)],
  [0x34, { name: 'SMI_COUNT', read: (cpu, bank) => bank.answer(cpu.management.count, 0), write: refuse }],
  [SMBASE, { name: 'SMBASE', read: (cpu, bank) => cpu.management.isActive && bank.answer(cpu.management.base, 0), write: refuse }],
  [MSR.FEATURE_CONTROL, constant('FEATURE_CONTROL', FEATURE_CONTROL.LOCK)],
  [MSR.TSC_ADJUST, {
    // Whatever moves the TSC moves this register by as much: it is the offset itself.
    name: 'TSC_ADJUST', needs: 'tsc_adjust',
    read: (cpu, bank) => bank.answerBig(cpu.state.big('tscOffset')),
    write(cpu, lo, hi) {
      cpu.state.setBig('tscOffset', BigInt.asUintN(64, BigInt(hi) << 32n | BigInt(lo >>> 0)));
      return true;
    },
  }],
  [MSR.SPEC_CTRL, kept('SPEC_CTRL', MSR.SPEC_CTRL, 0x7, 0, 'spec_ctrl')],
  [MSR.PRED_CMD, { name: 'PRED_CMD', needs: 'spec_ctrl', read: refuse, write: (_cpu, lo, hi) => (lo & ~1) === 0 && hi === 0 }],
  [MSR.BIOS_UPDT_TRIG, { name: 'BIOS_UPDT_TRIG', read: refuse, write: ignore }],
  [MSR.BIOS_SIGN_ID, constant('BIOS_SIGN_ID', 0, 0x100, ignore)],
  [0xcd, constant('FSB_FREQ', 0)],
  [0xce, { name: 'PLATFORM_INFO', read: (cpu, bank) => bank.answer(Math.round(cpu.clock.tscHz / 1e8) << 8, 0), write: refuse }],
  [MSR.MTRRCAP, { ...constant('MTRR_CAP', VARIABLE_MTRRS | MTRR.CAP_FIXED | MTRR.CAP_WC), needs: 'mtrr' }],
  [MSR.ARCH_CAPABILITIES, { ...constant('ARCH_CAPABILITIES', ARCH_CAPABILITIES, ARCH_CAPABILITIES_HIGH), needs: 'arch_capabilities' }],
  [0x119, constant('BBL_CR_CTL', 0, 0, ignore)],
  [0x11e, constant('BBL_CR_CTL3', 0, 0, ignore)],
  [0x140, kept('MISC_FEATURE_ENABLES', 0x140, 0)],
  [MSR.SYSENTER_CS, field('SYSENTER_CS', 'sysenterCs', { needs: 'sep' })],
  [MSR.SYSENTER_ESP, field('SYSENTER_ESP', 'sysenterEsp', { needs: 'sep', canonical: true })],
  [MSR.SYSENTER_EIP, field('SYSENTER_EIP', 'sysenterEip', { needs: 'sep', canonical: true })],
  [MSR.MCG_CAP, { ...constant('MCG_CAP', MACHINE_CHECK.CAPABILITIES), needs: 'mca' }],
  [MSR.MCG_STATUS, kept('MCG_STATUS', MSR.MCG_STATUS, 7, 0, 'mca')],
  [MACHINE_CHECK.MCG_CTL, kept('MCG_CTL', MACHINE_CHECK.MCG_CTL, MASK_ALL, MASK_ALL, 'mca')],
  ...Array.from({ length: MACHINE_CHECK.BANKS }, (_, bank) => machineCheckBank(bank)).flat(),
  [MSR.PERF_STATUS, constant('PERF_STATUS', 0x1000)],
  [MSR.PERF_CTL, kept('PERF_CTL', MSR.PERF_CTL, 0xffff)],
  [MSR.CLOCK_MODULATION, kept('CLOCK_MODULATION', MSR.CLOCK_MODULATION, 0x1f)],
  [MSR.THERM_INTERRUPT, kept('THERM_INTERRUPT', MSR.THERM_INTERRUPT, 0x1ff_ffff)],
  [MSR.THERM_STATUS, constant('THERM_STATUS', 0, 0, ignore)],
  [MSR.MISC_ENABLE, field('MISC_ENABLE', 'miscEnable')],
  [MSR.DEBUGCTL, {
    name: 'DEBUGCTL', read: (cpu, bank) => bank.answer(cpu.state.word(STATE.debugControl), 0),
    write(cpu, lo, hi) {
      if (hi !== 0 || lo & ~(DEBUGCTL.LBR | DEBUGCTL.BTF)) return false;
      cpu.branchTrap.control(lo);
      return true;
    },
  }],
  ...Array.from({ length: VARIABLE_MTRRS }, (_, n) => variableMtrr(n)).flat(),
  ...[MSR.MTRR_FIX64K_00000, MSR.MTRR_FIX16K_80000, MSR.MTRR_FIX16K_80000 + 1, ...Array.from({ length: 8 }, (_, n) => MSR.MTRR_FIX4K_C0000 + n)]
    .map((index) => [index, keptIf(`MTRR_FIX_${index.toString(16)}`, index, (_cpu, lo, hi) => areMemoryTypes(lo, false) && areMemoryTypes(hi, false), 'mtrr')] as const),
  [MSR.PAT, {
    name: 'PAT', needs: 'pat',
    read: (cpu, bank) => bank.answer(cpu.state.word(STATE.pat), cpu.state.word(STATE.pat + 4)),
    write(cpu, lo, hi) {
      if (!areMemoryTypes(lo, true) || !areMemoryTypes(hi, true)) return false;
      cpu.state.setPair(STATE.pat, lo, hi);
      return true;
    },
  }],
  [MSR.MTRR_DEF_TYPE, {
    name: 'MTRR_DEF_TYPE', needs: 'mtrr',
    read: (_cpu, bank) => bank.answerKept(MSR.MTRR_DEF_TYPE),
    write: (_cpu, lo, hi, bank) => hi === 0 && (lo & ~(MTRR.DEF_TYPE_MASK | MTRR.DEF_FIXED_ENABLE | MTRR.DEF_ENABLE)) === 0 && isMemoryType(lo & 0xff, false) && bank.keep(MSR.MTRR_DEF_TYPE, lo, 0),
  }],
  [MSR.TSC_DEADLINE, TSC_DEADLINE],
  ...Array.from({ length: 0x100 }, (_, at) => [MSR.X2APIC_BASE + at, apicRegister(`X2APIC_${at.toString(16)}`, MSR.X2APIC_BASE + at, 'x2apic')] as const),
  [PKRS, {
    name: 'PKRS', needs: 'pks', read: (cpu, bank) => bank.answer(cpu.state.word(STATE.pkrs), 0),
    write(cpu, lo, hi) {
      if (hi !== 0) return false;
      cpu.state.setWord(STATE.pkrs, lo);
      cpu.mmu.protectionKeysChanged();
      return true;
    },
  }],
  // no supervisor component of XSAVE exists
  [MSR.XSS, kept('XSS', MSR.XSS, 0, 0, 'xsaves')],
  [UMWAIT_CONTROL, kept('UMWAIT_CONTROL', UMWAIT_CONTROL, ~2, 0, 'waitpkg')],
  [MSR.EFER, {
    name: 'EFER', read: (cpu, bank) => hasEfer(cpu) && bank.answer(cpu.state.word(STATE.efer), 0), write: (cpu, lo, hi) => hasEfer(cpu) && writeEfer(cpu, lo, hi),
  }],
  [MSR.STAR, field('STAR', 'star', { needs: 'syscall' })],
  [MSR.LSTAR, field('LSTAR', 'lstar', { needs: 'lm', canonical: true })],
  [MSR.CSTAR, field('CSTAR', 'cstar', { needs: 'lm', canonical: true })],
  [MSR.FMASK, field('FMASK', 'fmask', { needs: 'syscall', lowOnly: true })],
  [MSR.FS_BASE, segmentBase('FS_BASE', SEG.FS)],
  [MSR.GS_BASE, segmentBase('GS_BASE', SEG.GS)],
  [MSR.KERNEL_GS_BASE, field('KERNEL_GS_BASE', 'kernelGsBase', { needs: 'lm', canonical: true })],
  [MSR.TSC_AUX, field('TSC_AUX', 'tscAux', { needs: 'rdtscp', lowOnly: true })],
];

/** A range's address with its memory type, and its mask with the bit that makes it valid. SDM vol 3A §12.11.2.3 */
function variableMtrr(number: number): Rows {
  const base = MSR.MTRR_PHYSBASE0 + 2 * number, isAddress = (cpu: Cpu, hi: number): boolean => hi >>> cpu.model.physicalBits - 32 === 0;
  return [
    [base, keptIf(`MTRR_PHYSBASE${String(number)}`, base, (cpu, lo, hi) => isAddress(cpu, hi) && isMemoryType(lo & 0xfff, false), 'mtrr')],
    [base + 1, keptIf(`MTRR_PHYSMASK${String(number)}`, base + 1, (cpu, lo, hi) => isAddress(cpu, hi) && (lo & 0x7ff) === 0, 'mtrr')],
  ];
}

/** One bank: what it reports (all or nothing), then status, which software can only clear, address and more. */
function machineCheckBank(bank: number): Rows {
  const at = MACHINE_CHECK.FIRST_BANK + 4 * bank, all = (part: string, offset: number, mask: number): Rows[number] => [at + offset, kept(`MC${bank}_${part}`, at + offset, mask, mask, 'mca')];
  const control = kept(`MC${bank}_CTL`, at, MASK_ALL, MASK_ALL, 'mca');
  return [
    [at, { ...control, write: (cpu, lo, hi, values) => (lo | 0) === (hi | 0) && (lo === 0 || lo === MASK_ALL) && control.write(cpu, lo, hi, values) }],
    all('STATUS', 1, 0), all('ADDR', 2, MASK_ALL), all('MISC', 3, MASK_ALL),
  ];
}

function hasEfer(cpu: Cpu): boolean { return cpu.cpuid.has('nx') || cpu.cpuid.has('lm') || cpu.cpuid.has('syscall'); }

function apicRegister(name: string, index: number, needs: FeatureName): Entry {
  return {
    name, needs,
    read: (cpu, bank) => cpu.apic !== undefined && cpu.apic.readMsr(index) && bank.answer(cpu.apic.msrLow, cpu.apic.msrHigh),
    write: (cpu, lo, hi) => cpu.apic?.writeMsr(index, lo, hi) ?? false,
  };
}

function lastBranchRegisters(last: LastBranches): Rows {
  const { select } = last;
  return [
    ...last.registers().map(([index, name, word]): Rows[number] => [index, { name, read: (_cpu, bank) => bank.answer(last.low(word), last.high(word)), write: refuse }]),
    ...(select === undefined ? [] : [[select.msr, {
      name: 'LBR_SELECT', read: (_cpu, bank) => bank.answer(last.filter, 0),
      write: (_cpu, lo, hi) => {
        if ((lo & ~select.bits) !== 0 || hi !== 0) return false;
        last.filter = lo;
        return true;
      },
    }] satisfies Rows[number]]),
  ];
}

/** One CPU's MSRs: those its model has, and storage for the ones that are only kept. */
export class MsrBank {
  lo = 0;
  hi = 0;
  readonly #cpu: Cpu;
  readonly #entries = new Map<number, Entry>();
  readonly #kept = new Map<number, { lo: number; hi: number }>();

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
    for (const [index, entry] of [...REGISTERS, ...lastBranchRegisters(cpu.branchTrap.last)]) if (!entry.needs || cpu.cpuid.has(entry.needs)) this.#entries.set(index, entry);
  }

  /** False: #GP(0). The value is left in `lo`, `hi`. */
  read(index: number): boolean { return this.#entries.get(index)?.read(this.#cpu, this) ?? false; }
  write(index: number, lo: number, hi: number): boolean { return this.#entries.get(index)?.write(this.#cpu, lo, hi, this) ?? false; }
  nameOf(index: number): string | undefined { return this.#entries.get(index)?.name; }
  reset(): void { this.#kept.clear(); }

  answer(lo: number, hi: number): true {
    this.lo = lo | 0;
    this.hi = hi | 0;
    return true;
  }
  answerBig(value: bigint): true { return this.answer(Number(value & 0xffff_ffffn), Number(value >> 32n & 0xffff_ffffn)); }
  answerKept(index: number): true {
    const kept = this.#kept.get(index);
    return this.answer(kept?.lo ?? 0, kept?.hi ?? 0);
  }
  /** The low word of a register that is only kept. */
  kept(index: number): number { return this.#kept.get(index)?.lo ?? 0; }
  keep(index: number, lo: number, hi: number): true {
    this.#kept.set(index, { lo: lo | 0, hi: hi | 0 });
    return true;
  }
}

export function readMsr(cpu: Cpu): Status {
  if (cpu.cpl !== 0 || !cpu.msrs.read(cpu.gprLo(GPR.RCX) >>> 0)) return cpu.protectionFault();
  cpu.setEdxEax(cpu.msrs.lo, cpu.msrs.hi);
  return DONE;
}

export function writeMsr(cpu: Cpu): Status {
  if (cpu.cpl !== 0 || !cpu.msrs.write(cpu.gprLo(GPR.RCX) >>> 0, cpu.gprLo(GPR.RAX), cpu.gprLo(GPR.RDX))) return cpu.protectionFault();
  return DONE;
}

export function readTimeStamp(cpu: Cpu): Status {
  if (cpu.state.word(STATE.cr4) & CR4.TSD && cpu.cpl !== 0) return cpu.protectionFault();
  if (cpu.clock.readTscNumber !== undefined) {
    const cycles = cpu.clock.readTscNumber();
    const lo = cycles % 0x1_0000_0000 + (cpu.state.word(STATE.tscOffset) >>> 0);
    cpu.setEdxEax(lo | 0, Math.floor(cycles / 0x1_0000_0000) + cpu.state.word(STATE.tscOffset + 4) + (lo > 0xffff_ffff ? 1 : 0) | 0);
    return DONE;
  }
  const tsc = cpu.readTsc();
  cpu.setEdxEax(Number(tsc & 0xffff_ffffn), Number(tsc >> 32n));
  return DONE;
}

export function readTimeStampAndId(cpu: Cpu): Status {
  if (!cpu.cpuid.has('rdtscp')) return cpu.undefinedOpcode();
  const status = readTimeStamp(cpu);
  if (status === DONE) cpu.setGpr32(GPR.RCX, cpu.state.word(STATE.tscAux));
  return status;
}

/** No performance counters exist: every index is beyond the last. */
export function readCounter(cpu: Cpu): Status { return cpu.protectionFault(); }

export function readProcessorId(cpu: Cpu): Status {
  if (!cpu.cpuid.has('rdpid')) return cpu.undefinedOpcode();
  cpu.setResult(cpu.state.word(STATE.tscAux));
  return DONE;
}
