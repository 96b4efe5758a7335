/* @hot: whole states are compared, word by word. */
/** The generated common cases of system instructions and events against the TypeScript that is their reference, on the same random states. */
import { STATE, STATE_FIELDS, STATE_SIZE_BYTES } from '@vmm/state';
import { expect, it } from 'vitest';
import { CR0, CR4, EFER, EFLAGS, GPR, SEG, VECTOR } from './architecture.ts';
import { AT, SELECTOR } from './cpu.testing.ts';
import type { TestMachine } from './cpu.testing.ts';
import { deliverException } from './exceptions.ts';
import { recomputeMode, refreshSegments } from './mode.ts';
import { Random } from './random.testing.ts';
import { wholeMachine } from './whole.testing.ts';

const CASES = 12_000;
/** Tables and stacks of the fixture lie below this. */
const COMPARED_BYTES = 0xb_0000;
const STACK = 0x8_0000, HANDLER = 0x6000;
/** Where the two may differ: scratch memory, and counts that only one of them keeps. */
const UNCOMPARED = ['scratch', 'deliveredFaults', 'exitReason', 'pending', 'faultError', 'faultAddress'] as const;

const ACCESS = [0x92, 0x93, 0x96, 0x97, 0x90, 0x91, 0x9a, 0x9b, 0x98, 0x9e, 0x9f, 0xb3, 0xbb, 0xd3, 0xf2, 0xf3, 0xf1, 0xfb, 0xff, 0x13, 0x7b, 0x89, 0x82, 0xec, 0x8e];
const GATES = [0x8e, 0x8f, 0xee, 0xef, 0x86, 0x87, 0xe6, 0x85, 0x0e, 0x8c];
const NAMED = Object.values(SELECTOR);

/** Descriptors that exist keep their kind, most of them accessed; some are anything. */
function randomizeTables(m: TestMachine, random: Random, isLong: boolean): void {
  for (let at = 8; at < 0x100; at += 8) {
    const access = m.read8(AT.gdt + at + 5);
    if (access & 0x10) m.write8(AT.gdt + at + 5, random.chance(12) ? access : access | 1);
    if (random.chance(10)) m.descriptor(at, { base: random.mostly(0, [AT.tss, 0x1_0000, 0xffff_f000]), limit: random.mostly(0xf_ffff, [0x67, 0xffff, 0, 0xfff]), access: random.pick(ACCESS), flags: random.pick([0xc, 0xc, 0x4, 0, 0x8, 0xa, 0x2, 0xe]) });
  }
  for (let vector = 0; vector < 0x40; vector++) {
    const selector = random.mostly(isLong ? SELECTOR.code64 : SELECTOR.code0, [...NAMED, 0, 4, 0xff8]), access = random.mostly(random.pick([0x8e, 0xee, 0x8f, 0xef]), GATES);
    if (isLong) m.gate64(vector, selector, random.mostly(BigInt(HANDLER), [0xffff_ffff_8000_0000n, 0x8000_0000_0000n, 0x1234_5678_9000n]), { access, ist: random.mostly(0, [1, 2, 7], 3) });
    else m.gate(vector, selector, random.mostly(HANDLER, [0xffff_ff00]), access);
  }
  const stacks = [STACK, 0x8_0ff8, 0x8_0010, 0, 2, 0xffff_fff0];
  if (isLong) {
    m.write64(AT.tss + 4, BigInt(random.mostly(0x9_0000, stacks)));
    if (random.chance(10)) m.write64(AT.tss + 4, 0x8000_0000_0000n);
  } else {
    m.write32(AT.tss + 4, random.mostly(0x9_0000, stacks));
    m.write32(AT.tss + 8, random.mostly(SELECTOR.data0, [...NAMED, 0]));
    m.write32(AT.tss + 16, random.mostly(SELECTOR.data1, [...NAMED, 0]));
  }
}

function randomMode(m: TestMachine, random: Random): boolean {
  const rare = random.chance(6) ? EFLAGS.TF | EFLAGS.NT | EFLAGS.AC | EFLAGS.ID : EFLAGS.AC;
  const rflags = random.next() & (EFLAGS.IF | EFLAGS.IOPL_MASK | EFLAGS.CF | EFLAGS.ZF | EFLAGS.SF | EFLAGS.OF | EFLAGS.PF | EFLAGS.AF | EFLAGS.DF | rare) | 2;
  const rsp = random.mostly(STACK, [STACK + 4, STACK + 0xff8, 0x8_0008, 2, 0, 0xffff_fffc]);
  const cr4 = random.mostly(CR4.FSGSBASE, [0, CR4.SMAP, CR4.SMEP, CR4.FSGSBASE, CR4.FSGSBASE | CR4.SMAP]), am = random.mostly(0, [CR0.AM], 4);
  const isLong = random.chance(2), cpl = random.mostly(random.pick([0, 3] as const), [1] as const, 12);
  const owner = cpl === 3 || random.chance(2) ? 4 : 0;
  if (isLong) {
    m.long(cpl === 1 ? 0 : cpl, { rflags, rsp, cr4: cr4 | CR4.PAE, cr0: CR0.PE | CR0.PG | am, idtr: { base: AT.idt, limit: random.mostly(0x3ff, [0xff]) } });
    m.write64(AT.pml4, BigInt(AT.pdpt | 0x27));
    m.write64(AT.pdpt, BigInt(AT.pd | 0x27));
    m.write64(AT.pd, BigInt(0xe3 | owner));
    // user mode of 32 bits, and a kernel in compatibility mode
    if (random.chance(6)) m.state.set('segmentAttributes', 0xc09b | m.cpl << 5, SEG.CS);
  } else {
    m.write32(AT.pd, 0xe3 | owner);
    m.protected(cpl, { rflags, rsp, cr4: cr4 | CR4.PSE, cr0: CR0.PE | CR0.PG | am, cr3: AT.pd, idtr: { base: AT.idt, limit: random.mostly(0x1ff, [0x7f]) } });
    m.write32(AT.pd, 0xe3 | owner);
    if (random.chance(12)) m.state.set('eflags', m.state.get('eflags') | EFLAGS.VM);
    else if (random.chance(12)) m.real({ rflags: rflags & ~EFLAGS.NT, rsp });
  }
  if (random.chance(8)) m.state.set('segmentAttributes', random.pick([0x93, 0x4093, 0xc091, 0xc097, 0x1_0000]), random.pick([SEG.SS, SEG.DS, SEG.FS]));
  if (random.chance(12)) m.state.setNumber('segmentBase', 0x1000, random.pick([SEG.SS, SEG.DS, SEG.GS, SEG.CS]));
  if (random.chance(20)) m.cpu.isNmiBlocked = true;
  if (random.chance(20)) m.cpu.monitored.isArmed = true;
  m.state.set('interruptWaits', random.below(2));
  for (const [field, value] of [['sysenterCs', random.mostly(0x60, [0])], ['sysenterEip', 0xc000_1000], ['sysenterEsp', 0x9_0000], ['fmask', random.mostly(0x4_7700, [0])]] as const) m.state.setNumber(field, value);
  m.state.setBig('star', random.mostly(0x0023_0010_0000_0000n, [0xffff_fff8_0000_0000n]));
  m.state.setBig('lstar', 0xffff_ffff_8100_0000n);
  m.state.setBig('kernelGsBase', 0xffff_8880_1234_5000n);
  m.state.setBig('efer', m.state.big('efer') & ~BigInt(EFER.SCE) | BigInt(random.mostly(EFER.SCE, [0])));
  recomputeMode(m.cpu);
  refreshSegments(m.state);
  return isLong;
}

/** What a return may find on the stack. */
function placeFrame(m: TestMachine, random: Random, isLong: boolean): void {
  const ring = random.pick([0, 3]), code = ring === 0 ? isLong ? SELECTOR.code64 : SELECTOR.code0 : isLong && random.chance(2) ? SELECTOR.user64 : SELECTOR.code3;
  const flags = (random.next() & (EFLAGS.IF | EFLAGS.CF | EFLAGS.ZF | EFLAGS.DF | EFLAGS.IOPL_MASK | EFLAGS.RF | EFLAGS.AC | EFLAGS.ID)) | random.mostly(2, [EFLAGS.TF, EFLAGS.NT, EFLAGS.VM]);
  const rip = random.mostly(0x5000n, [0x8000_0000_0000n, 0xffff_ffff_8000_0000n, 0xffff_0000n]), data = ring === 0 ? random.mostly(SELECTOR.data0, [0]) : SELECTOR.data3;
  const words = [rip, BigInt(random.mostly(code, [...NAMED, 0, 0xff8])), BigInt(flags), random.mostly(0x7_0000n, [0xffff_8880_0000_0008n]), BigInt(random.mostly(data, [...NAMED, 3, 1]))];
  words.forEach((word, index) => {
    if (isLong && m.state.get('modeKey') & 2) m.write64((m.rsp & 0xf_ffff) + 8 * index, word);
    else m.write32((m.rsp & 0xf_ffff) + 4 * index, Number(word & 0xffff_ffffn));
  });
}

/** A map of ports behind the TSS, of which the first ones are used; sometimes none, one that ends too early, or a TSS of 16 bits. */
function randomizePortMap(m: TestMachine, random: Random): void {
  m.state.set('segmentLimit', random.mostly(0x68 + 8 + random.below(3), [0x67, 0x66, 0x2068, 0xfff]), SEG.TR);
  m.state.set('segmentAttributes', random.mostly(0x8b, [0x83, 0x1_008b]), SEG.TR);
  m.write16(AT.tss + 0x66, random.mostly(0x68, [0x60, 0xffff, 0x2000]));
  for (let at = 0; at < 12; at++) m.write8(AT.tss + 0x68 + at, random.pick([0, 0, random.below(256), 0xff]));
  if (random.chance(10)) m.state.set('dr', random.pick([1, 0x400]), 7);
}

interface Operation { readonly name: string; readonly generated: () => number; readonly reference: () => void }

function randomOperation(m: TestMachine, random: Random, log: string[], call: (name: string, ...args: readonly (number | bigint)[]) => number): Operation {
  const size = random.mostly(m.state.get('modeKey') & 2 ? 8 : 4, [2, 4, 8]), next = m.state.big('rip') + 2n;
  const sized = (name: string, callout: Parameters<TestMachine['call']>[0] = name as 'sysexit'): Operation => ({ name, generated: () => call(name, size), reference: () => { m.call(callout, [], size); } });
  /** A callout that goes on behind the instruction, which generated code does by itself. */
  const inPlace = (...args: Parameters<TestMachine['call']>): void => {
    const rip = m.state.big('rip');
    m.call(...args);
    if (m.fault === undefined) m.state.setBig('rip', rip);
  };
  const value = random.pick([0n, BigInt(random.next()), 0xffff_8880_1234_5000n, 0x1234_5678_9abc_def0n]);
  switch (random.below(14)) {
    case 0: {
      const index = random.mostly(random.pick([SEG.ES, SEG.DS, SEG.FS, SEG.GS]), [SEG.SS]), selector = random.mostly(random.pick([SELECTOR.data0, SELECTOR.data3, SELECTOR.code0, SELECTOR.conforming]), [...NAMED, 0, 1, 3, 0xff8, 0x17]);
      return { name: 'loadSegment', generated: () => call('loadSegment', index, selector), reference: () => { m.call('load_segment', [index, selector], 2); } };
    }
    case 1: case 2: {
      const vector = random.below(0x44);
      return { name: 'softwareInterrupt', generated: () => call('softwareInterrupt', vector, next), reference: () => { m.call('int_n', [vector]); } };
    }
    case 3: case 4: {
      const vector = random.mostly(random.pick([VECTOR.PF, VECTOR.DE, VECTOR.UD, VECTOR.AC, VECTOR.NP]), [VECTOR.GP, VECTOR.DB, VECTOR.NM]);
      m.state.set('faultVector', vector);
      m.state.set('faultError', random.below(32));
      m.state.setWords('faultAddress', random.next() | 0, m.state.get('modeKey') & 2 ? random.next() | 0 : 0);
      return { name: 'deliverFault', generated: () => call('deliverFault'), reference: () => { deliverException(m.cpu); } };
    }
    case 5: case 6: return sized('interruptReturn', 'iret');
    case 7: return random.pick([sized('sysexit'), sized('sysret'), { name: 'syscall', generated: () => call('syscall', next), reference: () => { m.call('syscall', [], size); } }]);
    case 12: case 13: {
      const port = random.mostly(random.below(64), [random.below(0x1_0000)], 4), width = random.pick([1, 2, 4]), [name, callout] = random.pick([['portIn', 'in'], ['portOut', 'out']] as const);
      randomizePortMap(m, random);
      return {
        name, generated: () => {
          log.length = 0;
          if (name === 'portOut') return call(name, port, width, Number(value & 0xffff_ffffn) | 0);
          const got = BigInt(call(name, port, width));
          log.push(String(got));
          return got === -1n ? 0 : 1;
        },
        reference: () => {
          const seen = log.splice(0);
          inPlace(callout, [port, value], width);
          if (name === 'portIn') log.push(String(width === 4 ? m.result : m.result & (1 << 8 * width) - 1));
          expect(seen).toEqual(log);
        },
      };
    }
    case 8: {
      const register = random.mostly(0, [2, 3, 4, 8]), cr0 = register === 0 ? BigInt(random.mostly(m.state.lo('cr0') ^ random.pick([0, CR0.TS, CR0.MP, CR0.EM]), [m.state.lo('cr0') ^ CR0.WP, CR0.PE])) : value;
      const word = m.state.get('modeKey') & 2 ? BigInt.asUintN(64, cr0) : BigInt.asUintN(32, cr0);
      return { name: 'setControlRegister', generated: () => call('setControlRegister', register, word), reference: () => { inPlace('mov_to_cr', [register, word], size); } };
    }
    case 9: {
      const on = random.below(2), index = random.pick([SEG.FS, SEG.GS]);
      return random.pick([
        { name: 'setAlignmentCheck', generated: () => call('setAlignmentCheck', on), reference: () => { m.call(on ? 'stac' : 'clac'); } },
        { name: 'writeBase', generated: () => call('writeBase', index, value), reference: () => { m.call(index === SEG.FS ? 'wrfsbase' : 'wrgsbase', [value], 8); } },
      ]);
    }
    case 10: {
      const msr = random.mostly(0xc000_0100 + random.below(3), [0xc000_0103, 0xc000_0082]);
      m.gpr(GPR.RCX, msr);
      m.gpr(GPR.RAX, value & 0xffff_ffffn);
      m.gpr(GPR.RDX, value >> 32n);
      return { name: 'setBaseRegister', generated: () => call('setBaseRegister', msr, value), reference: () => { m.call('wrmsr'); } };
    }
    default: return random.pick([
      { name: 'sysenter', generated: () => call('sysenter'), reference: () => { m.call('sysenter', [], size); } },
      { name: 'swapgs', generated: () => call('swapgs'), reference: () => { m.call('swapgs', [], size); } },
    ]);
  }
}

it('answers CPUID as TypeScript has answered it, while that is still true', () => {
  const { vcpu, m } = wholeMachine();
  const entry = (vcpu.handlers.imports['core'] as Record<string, (leaf: number, subleaf: number) => number>)['helper:cpuidEntry']!;
  m.long(0);
  const ask = (leaf: number, subleaf: number): number[] => {
    m.gpr(GPR.RAX, leaf);
    m.gpr(GPR.RCX, subleaf);
    m.call('cpuid');
    return [GPR.RAX, 3, GPR.RCX, GPR.RDX].map((index) => m.state.lo('gpr', index));
  };
  const generated = (leaf: number, subleaf: number): number[] | undefined => {
    const at = entry(leaf, subleaf);
    return at === 0 ? undefined : [...m.state.i32.subarray(at >> 2, (at >> 2) + 4)];
  };
  for (const [leaf, subleaf] of [[0, 0], [1, 0], [7, 0], [0xb, 0], [0xb, 1], [0xd, 0], [0x8000_0000, 0], [0x4000_0000, 5], [0x8000_0008, 1]] as const) {
    expect(generated(leaf, subleaf)).toBeUndefined();
    expect(generated(leaf, subleaf) ?? ask(leaf, subleaf)).toEqual(ask(leaf, subleaf));
    expect(generated(leaf, subleaf)).toEqual(ask(leaf, subleaf));
  }
  ask(1, 0);
  m.call('mov_to_cr', [4, BigInt(m.state.lo('cr4') | CR4.OSXSAVE)], 8);
  expect(generated(1, 0), 'OSXSAVE is shown').toBeUndefined();
  expect(ask(1, 0)[2]! & 1 << 27).not.toBe(0);
  expect(generated(1, 0)).toEqual(ask(1, 0));
});

it('reads the time stamp at most so many instructions late, and never backwards', () => {
  let now = 1000, looks = 0;
  const { vcpu, m } = wholeMachine({ clock: { tscHz: 1e9, readTsc: () => BigInt(now), readTscNumber: () => { looks++; return now; }, toleranceInstructions: 100 } });
  const timeStamp = (vcpu.handlers.imports['core'] as unknown as Record<string, (budget: number) => bigint>)['helper:timeStamp']!;
  m.protected(0);
  m.state.setBig('tscOffset', 5n);
  expect([timeStamp(500), timeStamp(500), timeStamp(460), timeStamp(401)]).toEqual([1005n, 1005n, 1015n, 1029n]);
  expect(looks).toBe(1);
  now = 2000;
  expect(timeStamp(400)).toBe(2005n);
  expect(timeStamp(450), 'a budget that has grown belongs to another run').toBe(2005n);
  expect(looks).toBe(3);
  m.state.setBig('timeStamp', 0n);
  now = 2001;
  expect(timeStamp(450)).toBe(2006n);
});

it('does what TypeScript does, or nothing', () => {
  const log: string[] = [];
  const { vcpu, m } = wholeMachine({ ports: {
    read: (port, size) => { log.push(`in ${String(port)} ${String(size)}`); return 0x8000_0000 + port * 0x101; },
    write: (port, size, value) => { log.push(`out ${String(port)} ${String(size)} ${String(value)}`); },
  } });
  const core = vcpu.handlers.imports['core'] as Record<string, (...args: readonly (number | bigint)[]) => number>;
  const { i32, base } = m.state, from = base >> 2, stateWords = STATE_SIZE_BYTES >> 2, ram = m.memory.ramBase >> 2, ramWords = COMPARED_BYTES >> 2;
  const before = new Int32Array(stateWords + ramWords), after = new Int32Array(stateWords + ramWords);
  const save = (to: Int32Array): void => {
    to.set(i32.subarray(from, from + stateWords));
    to.set(i32.subarray(ram, ram + ramWords), stateWords);
  };
  const restore = (source: Int32Array): void => {
    i32.set(source.subarray(0, stateWords), from);
    i32.set(source.subarray(stateWords), ram);
  };
  const WORDS = { i64: 2, i32: 1, f80: 4, v256: 8 } as const;
  const uncompared = new Set(UNCOMPARED.flatMap((field) => {
    const { kind, count = 1 } = STATE_FIELDS[field] as { kind: keyof typeof WORDS; count?: number };
    return Array.from({ length: WORDS[kind] * count }, (_, word) => (STATE[field] >> 2) + word);
  }));
  const where = (word: number): string => {
    if (word >= stateWords) return `memory ${(4 * (word - stateWords)).toString(16)}`;
    const [field, at] = Object.entries(STATE).findLast(([, offset]) => offset <= 4 * word) ?? ['?', 0];
    return `${field} + ${String(4 * word - at)}`;
  };
  const firstDifference = (expected: Int32Array): string | undefined => {
    for (let word = 0; word < stateWords; word++) if (i32[from + word] !== expected[word] && !uncompared.has(word)) return where(word);
    for (let word = 0; word < ramWords; word++) if (i32[ram + word] !== expected[stateWords + word]) return where(stateWords + word);
    return undefined;
  };
  const done = new Map<string, number>();
  for (let seed = 1; seed <= CASES; seed++) {
    const random = new Random(seed * 2654435761), isLong = randomMode(m, random);
    randomizeTables(m, random, isLong);
    placeFrame(m, random, isLong);
    const { name, generated, reference } = randomOperation(m, random, log, (helper, ...args) => core[`helper:${helper}`]!(...args));
    const what = `seed ${String(seed)}: ${name}, ${isLong ? 'long' : 'protected'} mode, CPL ${String(m.cpl)}`;
    // the pages are at hand, as the accesses before would have it
    for (const page of [AT.gdt, AT.idt, AT.tss, STACK - 4096, STACK, 0x8_f000, 0x9_0000]) m.cpu.mmu.readSystem8(page, 0);
    if (name !== 'deliverFault') m.state.set('faultVector', -1);
    save(before);
    if (generated() === 0) {
      if (name !== 'loadSegment') expect(firstDifference(before), `${what} gave up`).toBeUndefined();
      continue;
    }
    done.set(name, (done.get(name) ?? 0) + 1);
    save(after);
    restore(before);
    reference();
    expect(firstDifference(after), what).toBeUndefined();
    expect(m.fault, what).toBeUndefined();
  }
  expect(Object.fromEntries([...done].filter(([, count]) => count < 40))).toEqual({});
  expect([...done.keys()].sort()).toEqual([
    'deliverFault', 'interruptReturn', 'loadSegment', 'portIn', 'portOut', 'setAlignmentCheck', 'setBaseRegister', 'setControlRegister', 'softwareInterrupt', 'swapgs', 'syscall', 'sysenter', 'sysexit', 'sysret', 'writeBase',
  ]);
}, 60_000);

it('comes to an end of its slice when a guest does nothing but fault', () => {
  const { vcpu, m, place } = wholeMachine();
  m.long(0);
  m.write64(AT.pd, 0xe3n);
  // an invalid opcode whose handler, on a stack of its own, is another
  m.gate64(VECTOR.UD, SELECTOR.code64, BigInt(HANDLER), { ist: 1 });
  m.write8(AT.gdt + SELECTOR.code64 + 5, 0x9b);
  place(0x5000, '0f 0b');
  place(HANDLER, '0f 0b');
  expect(vcpu.run(5000)).toBe('slice');
  expect([vcpu.instructions, m.state.get('deliveredFaults') > 3000]).toEqual([0, true]);
  expect(vcpu.counters()['exceptions']).toBeLessThan(10_000);
});
