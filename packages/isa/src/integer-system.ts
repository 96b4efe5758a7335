/** SDM vol 2 and vol 3: flags, ports, descriptor tables, control registers, system calls. Most of it is TypeScript (`@vmm/cpu`, callouts). */
import * as w from '@vmm/wasm';
import type { InstructionEntry, InstructionTable } from './entry.ts';
import { EXCEPTION } from './exceptions.ts';
import type { CalloutName } from './callout-names.ts';
import { ES, FS, GS, RAX, RBX, RCX, RDX } from './machine.ts';
import type { Machine } from './machine.ts';
import { GP } from './sse-access.ts';
import { popValue, push, setStackPointer, stackPointer } from './stack.ts';

const DIRECTION = 1 << 10, INTERRUPTS = 1 << 9, TRAP = 1 << 8, RESUME = 1 << 16, VIRTUAL_8086 = 1 << 17, LINE_BYTES = 64;
/** Bits of CR0 and CR4. */
const TASK_SWITCHED = 1 << 3, TIME_STAMP_DISABLE = 1 << 2, FSGSBASE = 1 << 16;
/** What POPF changes rarely: TF, IOPL, NT, AC, ID; of a 16-bit image the low half. */
const RARE = TRAP | 3 << 12 | 1 << 14 | 1 << 18 | 1 << 21;

const isSystem = (m: Machine): w.Expr => w.eqz(m.state32('cpl'));
/** Setting IF goes unnoticed: it is set already, or nobody waits. */
const isQuiet = (m: Machine): w.Expr => w.or(w.ne(w.and(m.state32('eflags'), w.i32(INTERRUPTS)), w.i32(0)), w.eqz(m.state32('interruptWaits')));
const arithmeticFlags = (m: Machine): w.Expr => ([['c', 0], ['p', 2], ['a', 4], ['z', 6], ['s', 7], ['o', 11]] as const)
  .map(([flag, bit]) => w.shl(m.flag(flag), w.i32(bit))).reduce((sum, bit) => w.or(sum, bit));

/** SDM vol 2: privileged code with nothing unusual is done here, the rest (VME, PVI, faults, waiting interrupts) is TypeScript. */
function clearInterrupts(m: Machine): void {
  m.when(isSystem(m), () => { m.setState32('eflags', w.and(m.state32('eflags'), w.i32(~INTERRUPTS))); }, () => { m.uncommon('cli'); });
}
/** The interrupt shadow is the next instruction's, which follows in the same block (`sti_last` where none does): no look at interrupts in between. */
function setInterrupts(m: Machine): void {
  const isFast = m.let(w.and(isSystem(m), isQuiet(m)));
  m.when(isFast, () => { m.setState32('eflags', w.or(m.state32('eflags'), w.i32(INTERRUPTS))); }, () => { m.uncommon('sti'); });
}
function pushFlags(m: Machine): void {
  const kept = m.let(m.state32('eflags'));
  m.when(w.eqz(w.and(kept, w.i32(VIRTUAL_8086))), () => {
    const image = m.let(w.or(w.or(w.and(kept, w.i32(~RESUME)), arithmeticFlags(m)), w.i32(2)));
    push(m, m.size, m.size === 8 ? w.extendU(image) : image);
  }, () => { m.uncommon('pushf', [], m.size, () => { push(m, m.size, m.calloutResult(m.size)); }); });
}
function popFlags(m: Machine): void {
  const value = popValue(m, m.size);
  const low = m.let(m.size === 8 ? w.wrap(value) : value), old = m.let(m.state32('eflags'));
  const rare = w.and(w.xor(low, old), w.i32(m.size === 2 ? RARE & 0xffff : RARE));
  const odd = w.or(w.or(rare, w.and(old, w.i32(RESUME | VIRTUAL_8086))), w.and(low, w.i32(TRAP)));
  const isStill = w.or(w.eqz(w.and(low, w.i32(INTERRUPTS))), isQuiet(m));
  const isFast = m.let(w.and(w.and(isSystem(m), w.eqz(odd)), isStill));
  m.when(isFast, () => {
    m.setState32('eflags', w.or(w.and(old, w.i32(~(INTERRUPTS | DIRECTION))), w.and(low, w.i32(INTERRUPTS | DIRECTION))));
    const bit = (index: number): w.Expr => m.let(w.and(w.shrU(low, w.i32(index)), w.i32(1)));
    m.setAllFlags({ c: bit(0), p: bit(2), a: bit(4), z: bit(6), s: bit(7), o: bit(11) });
    setStackPointer(m, w.add(stackPointer(m), w.i64(m.size)));
  }, () => { m.uncommon('popf', [wide(m, m.size, value)], m.size, () => { setStackPointer(m, w.add(stackPointer(m), w.i64(m.size))); }); });
}

const simple = (name: CalloutName, options: { ends?: boolean } = {}): InstructionEntry => ({ ...options, run: (m) => { m.callout(name, [], 4); } });
const undefinedOpcode: InstructionEntry = { ends: true, run: (m) => { m.fault(EXCEPTION.UD); } };
const nothing: InstructionEntry = { run: () => undefined };
/** Cache line operations: a load as far as faults go. */
const touch: InstructionEntry = { run: (m) => { m.hostRead(m.address(0, 1), 1); } };
/** Register operand of 2..8 bytes that takes a callout's result; memory always takes 16 bits. */
const result = (name: CalloutName): InstructionEntry => ({
  run(m) {
    m.prepareWrite(0);
    m.callout(name, [], m.sizeOf(0));
    m.write(0, m.calloutResult(m.sizeOf(0)));
  },
});
const withSelector = (name: CalloutName, ends = false): InstructionEntry => ({ ends, run: (m) => { m.callout(name, [w.extendU(m.resize(m.sizeOf(0), 2, m.read(0)))], 2); } });
const withAddress = (name: CalloutName, options: { ends?: boolean; write?: boolean; bytes?: number } = {}): InstructionEntry => ({
  uses: ['size'], ends: options.ends ?? false,
  run: (m) => { m.callout(name, [m.address(0, options.bytes ?? 1, options.write ?? false)], m.size); },
});

/** `isDone`: a function of the interpreter's module has done it; otherwise nothing has happened yet. */
function orElse(m: Machine, isDone: w.Expr, name: CalloutName, args: readonly w.Expr[] = [], size = 4): void { m.unless(isDone, () => { m.uncommon(name, args, size); }); }

const joined = (m: Machine): w.Expr => m.let(w.or(w.extendU(m.register(RAX, 4)), w.shl(w.extendU(m.register(RDX, 4)), w.i64(32))));
function setSplit(m: Machine, value: w.Expr): void {
  m.setRegister(RAX, 4, w.wrap(value));
  m.setRegister(RDX, 4, w.wrap(w.shrU(value, w.i64(32))));
}

function identify(m: Machine): void {
  const entry = m.helper('cpuidEntry', m.register(RAX, 4), m.register(RCX, 4));
  m.when(entry, () => { [RAX, RBX, RCX, RDX].forEach((register, i) => { m.setRegister(register, 4, m.let(w.load('i32', 32, entry, 4 * i))); }); }, () => { m.uncommon('cpuid'); });
}
/** CR4.TSD keeps it from users. */
function readTimeStamp(m: Machine, name: 'rdtsc' | 'rdtscp'): void {
  const time = m.local('i64');
  m.fn.set(time, w.i64(-1, -1));
  m.when(w.or(isSystem(m), w.eqz(w.and(m.state64('cr4'), w.i64(TIME_STAMP_DISABLE)))), () => { m.fn.set(time, m.helper('timeStamp', m.instructionsLeft())); });
  m.when(w.ne(m.fn.get(time), w.i64(-1, -1)), () => {
    setSplit(m, m.fn.get(time));
    if (name === 'rdtscp') m.setRegister(RCX, 4, w.wrap(m.state64('tscAux')));
  }, () => { m.uncommon(name); });
}
/** Segment bases; the others are TypeScript's. */
function readMsr(m: Machine): void {
  const at = m.helper('baseRegister', m.register(RCX, 4));
  m.when(at, () => { setSplit(m, m.let(w.load('i64', 64, at))); }, () => { m.uncommon('rdmsr'); });
}
function writeBase(m: Machine, segment: number, name: 'wrfsbase' | 'wrgsbase'): void {
  const value = m.let(wide(m, m.sizeOf(0), m.read(0)));
  orElse(m, m.helper('writeBase', w.i32(segment), value), name, [value], m.sizeOf(0));
}
/** RDFSBASE, RDGSBASE. */
function readBase(m: Machine, segment: number, name: 'rdfsbase' | 'rdgsbase'): void {
  const size = m.sizeOf(0);
  m.when(w.ne(w.and(m.state64('cr4'), w.i64(FSGSBASE)), w.i64(0)), () => {
    const base = m.state64('segmentBase', segment);
    m.write(0, size === 8 ? base : w.wrap(base));
  }, () => {
    m.uncommon(name, [], size);
    m.write(0, m.calloutResult(size));
  });
}

function wide(m: Machine, size: number, value: w.Expr): w.Expr { return size === 8 ? value : w.extendU(value); }

/** LAR and LSL: the destination changes only where ZF was set; the callout says in result word 1. */
const access = (name: 'lar' | 'lsl'): InstructionEntry => ({
  run(m) {
    const size = m.sizeOf(0);
    m.callout(name, [w.extendU(m.resize(m.sizeOf(1), 2, m.read(1)))], size);
    const value = m.calloutResult(size);
    m.when(m.flag('z'), () => { m.write(0, value); });
  },
});

export const SYSTEM: InstructionTable = {
  nop: nothing, pause: nothing, endbr32: nothing, endbr64: nothing, lfence: nothing, mfence: nothing, sfence: nothing,
  prefetch: nothing, prefetchw: nothing, prefetchwt1: nothing, prefetchnta: nothing, prefetcht0: nothing, prefetcht1: nothing, prefetcht2: nothing,
  clflush: touch, clflushopt: touch, clwb: touch,
  // without shadow stacks RDSSP leaves its register alone, which is how unwinders find out; INCSSP is undefined
  rdssp: nothing,
  clc: { run: (m) => { m.setCarry(w.i32(0)); } },
  stc: { run: (m) => { m.setCarry(w.i32(1)); } },
  cmc: { run: (m) => { m.setCarry(m.let(w.xor(m.flag('c'), w.i32(1)))); } },
  cld: { run: (m) => { m.setState32('eflags', w.and(m.state32('eflags'), w.i32(~DIRECTION))); } },
  std: { run: (m) => { m.setState32('eflags', w.or(m.state32('eflags'), w.i32(DIRECTION))); } },
  cli: { ends: false, run: clearInterrupts }, sti: { ends: false, run: setInterrupts }, sti_last: simple('sti', { ends: true }),
  hlt: simple('hlt', { ends: true }), clac: { ends: true, run: (m) => { orElse(m, m.helper('setAlignmentCheck', w.i32(0)), 'clac'); } }, stac: { ends: true, run: (m) => { orElse(m, m.helper('setAlignmentCheck', w.i32(1)), 'stac'); } },
  pushf: { uses: ['stack', 'size'], ends: false, run: pushFlags },
  popf: { uses: ['stack', 'size'], ends: false, run: popFlags },
  in: { ends: true, run: portIn }, out: { ends: true, run: portOut },
  cpuid: { run: identify }, rdtsc: { ends: 'block', run: (m) => { readTimeStamp(m, 'rdtsc'); } }, rdtscp: { ends: 'block', run: (m) => { readTimeStamp(m, 'rdtscp'); } }, rdpmc: simple('rdpmc'),
  rdmsr: { run: readMsr }, wrmsr: { ends: true, run: (m) => { orElse(m, m.helper('setBaseRegister', m.register(RCX, 4), joined(m)), 'wrmsr'); } },
  xgetbv: simple('xgetbv'), xsetbv: simple('xsetbv', { ends: true }), clts: { ends: true, run: (m) => { m.when(isSystem(m), () => { m.setState32('cr0', w.and(m.state32('cr0'), w.i32(~TASK_SWITCHED))); }, () => { m.uncommon('clts'); }); } },
  wbinvd: simple('wbinvd'), wbnoinvd: simple('wbinvd'), invd: simple('invd'),
  syscall: { ends: true, uses: ['mode'], run: (m) => { m.transferOr(() => m.helper('syscall', m.nextIp()), 'syscall', [], m.form.mode / 8); } },
  sysret: { ends: true, uses: ['size'], run: (m) => { m.transferOr(() => m.helper('sysret', w.i32(m.size)), 'sysret', [], m.size); } },
  sysenter: { ends: true, uses: ['mode'], run: (m) => { m.transferOr(() => m.helper('sysenter'), 'sysenter', [], m.form.mode / 8); } },
  sysexit: { ends: true, uses: ['size'], run: (m) => { m.transferOr(() => m.helper('sysexit', w.i32(m.size)), 'sysexit', [], m.size); } },
  swapgs: { ends: false, run: (m) => { orElse(m, m.helper('swapgs'), 'swapgs'); } },
  rsm: simple('rsm', { ends: true }), serialize: simple('serialize', { ends: true }),
  ud0: undefinedOpcode, ud1: undefinedOpcode, ud2: undefinedOpcode,
  vmcall: simple('vmcall', { ends: true }), vmmcall: simple('vmcall', { ends: true }),
  monitor: { uses: ['address'], run: (m) => { m.callout('monitor', [m.linearSource(m.let(wide(m, m.form.addressSize, m.register(RAX, m.form.addressSize))), 1)]); } },
  mwait: simple('mwait', { ends: true }),
  umonitor: { uses: ['address'], run: (m) => { m.callout('umonitor', [m.linearSource(m.let(wide(m, m.form.addressSize, m.resize(m.sizeOf(0), m.form.addressSize, m.read(0)))), 1)]); } },
  umwait: { ends: true, run: (m) => { m.callout('umwait', [w.extendU(m.read(0, 4))]); } },
  tpause: { ends: true, run: (m) => { m.callout('umwait', [w.extendU(m.read(0, 4))]); } },
  rdpkru: simple('rdpkru'), wrpkru: simple('wrpkru', { ends: true }),
  movdiri: { run: (m) => { m.write(0, m.read(1)); } },
  movdir64b: { uses: ['address'], run: directStore64 },
  lgdt: withAddress('lgdt', { ends: true }), lidt: withAddress('lidt', { ends: true }),
  sgdt: withAddress('sgdt', { write: true }), sidt: withAddress('sidt', { write: true }),
  lldt: withSelector('lldt', true), ltr: withSelector('ltr', true), verr: withSelector('verr'), verw: withSelector('verw'),
  sldt: result('sldt'), str: result('str'), smsw: result('smsw'),
  lmsw: withSelector('lmsw', true),
  lar: access('lar'), lsl: access('lsl'),
  arpl: {
    run(m) {
      const a = m.read(0), b = m.let(w.and(m.read(1), w.i32(3)));
      const lower = m.let(w.ltU(w.and(a, w.i32(3)), b));
      m.when(lower, () => { m.write(0, m.let(w.or(w.and(a, w.i32(0xfffc)), b))); });
      m.setAllFlags({ c: m.flag('c'), o: m.flag('o'), s: m.flag('s'), p: m.flag('p'), a: m.flag('a'), z: lower });
    },
  },
  invlpg: {
    ends: true,
    run(m) {
      const address = m.let(m.address(0, 0)), [lo, hi] = [w.wrap(address), w.wrap(w.shrU(address, w.i64(32)))];
      m.when(isSystem(m), () => { orElse(m, m.helper('invalidatePage', lo, hi), 'invlpg', [address]); }, () => { m.uncommon('invlpg', [address]); });
    },
  },
  invpcid: {
    ends: true,
    run(m) {
      const size = m.sizeOf(0);
      m.callout('invpcid', [wide(m, size, m.read(0)), m.address(1, 16)], size);
    },
  },
  rdfsbase: { run: (m) => { readBase(m, FS, 'rdfsbase'); } }, rdgsbase: { run: (m) => { readBase(m, GS, 'rdgsbase'); } },
  wrfsbase: { run: (m) => { writeBase(m, FS, 'wrfsbase'); } }, wrgsbase: { run: (m) => { writeBase(m, GS, 'wrgsbase'); } },
  rdrand: result('rdrand'), rdseed: result('rdseed'), rdpid: result('rdpid'),
};

/** 64 bytes in one piece to an aligned address in ES. */
function directStore64(m: Machine): void {
  const source = m.address(1, LINE_BYTES), destination = m.linear(ES, m.let(wide(m, m.form.addressSize, m.resize(m.sizeOf(0), m.form.addressSize, m.read(0)))), LINE_BYTES, true);
  m.faultIf(w.and(w.wrap(destination), w.i32(LINE_BYTES - 1)), GP);
  const pieces = [0, 16, 32, 48].map((at) => m.let(w.load('v128', 128, m.hostRead(m.let(w.add(source, w.i64(at))), 16)))), host = m.hostWrite(destination, LINE_BYTES);
  pieces.forEach((piece, i) => { m.fn.store(128, host, 16 * i, piece); });
  m.commit(host);
}

/** Devices may look at a clock that counts instructions, and may want to be heard: the next look at events is at once. */
/** The device may look at the time, and cause an SMI whose handler wants to know where the instruction is. */
function beforePort(m: Machine): void {
  m.instructionsLeft();
  m.setState64('rip', m.currentIp());
}
function portIn(m: Machine): void {
  const size = m.sizeOf(0), at = m.let(port(m, 1));
  beforePort(m);
  const value = m.helper('portIn', w.wrap(at), w.i32(size));
  m.when(w.ne(value, w.i64(-1, -1)), () => { m.write(0, m.let(w.wrap(value))); }, () => { m.uncommon('in', [at], size, () => { m.write(0, m.calloutResult(size)); }); });
}
function portOut(m: Machine): void {
  const size = m.sizeOf(1), at = m.let(port(m, 0)), value = m.read(1);
  beforePort(m);
  orElse(m, m.helper('portOut', w.wrap(at), w.i32(size), value), 'out', [at, w.extendU(value)], size);
}

function port(m: Machine, operand: number): w.Expr {
  return m.form.operands[operand]?.kind === 'imm' ? w.and(m.immediate64(operand), w.i64(0xff)) : w.extendU(m.register(RDX, 2));
}
