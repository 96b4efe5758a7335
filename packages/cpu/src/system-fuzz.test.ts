/** Random tables, registers and modes under every system callout: whatever a guest sets up ends in an architectural outcome. */
import { STATE, STATE_SIZE_BYTES } from '@vmm/state';
import { expect, it } from 'vitest';
import { ATTRIBUTE, CR0, CR4, EFLAGS, GPR, SEG } from './architecture.ts';
import { SYSTEM_CALLOUTS } from './callouts.ts';
import type { SystemCalloutName } from './callouts.ts';
import { AT, TestMachine } from './cpu.testing.ts';
import { recomputeMode, refreshSegments } from './mode.ts';
import { CPU_MODELS } from './models.ts';
import { Random } from './random.testing.ts';

const CASES = 8_000;
const NAMES = Object.keys(SYSTEM_CALLOUTS) as SystemCalloutName[];

const ACCESS = [0x92, 0x93, 0x96, 0x90, 0x9a, 0x9b, 0x98, 0x9e, 0xb2, 0xba, 0xd2, 0xf2, 0xf3, 0xfa, 0xfe, 0x12, 0x7a, 0x89, 0x8b, 0x81, 0x83, 0x82, 0x85, 0xe5, 0xec, 0x8c, 0x84, 0xe4];
const GATES = [0x8e, 0x8f, 0xee, 0xef, 0x86, 0x87, 0xe6, 0x85, 0xe5, 0x0e, 0x8c];

function randomizeTables(m: TestMachine, random: Random): void {
  for (let at = 8; at < 0x100; at += 8) {
    m.descriptor(at, { base: random.pick([0, AT.tss, AT.tss2, 0x1_0000, 0xffff_f000]), limit: random.pick([0xf_ffff, 0x67, 0x2b, 0xffff, 0, 0xfff]), access: random.pick(ACCESS), flags: random.pick([0xc, 0x4, 0, 0x8, 0xa, 0x2, 0xe]) });
  }
  for (let at = 0; at < 0x1000; at += 8) m.gate(at >> 3, random.below(32) << 3 | random.below(4), random.pick([0x6000, 0x1234_5678]), random.pick(GATES));
  for (let at = 0; at < 0x68; at += 2) for (const base of [AT.tss, AT.tss2]) m.write16(base + at, random.chance(2) ? random.below(32) << 3 | random.below(4) : random.below(0x1_0000));
  for (let at = 0; at < 64; at += 4) m.write32(0x8_0000 + at, random.pick([random.below(32) << 3 | random.below(4), random.next(), 0x5000, EFLAGS.VM | 2, 0x202, 0]));
}

function randomMode(m: TestMachine, random: Random): void {
  const rflags = (random.next() & (EFLAGS.IF | EFLAGS.TF | EFLAGS.IOPL_MASK | EFLAGS.NT | EFLAGS.AC | EFLAGS.CF | EFLAGS.DF)) | 2;
  const registers = { rax: random.next(), rcx: random.pick([0, 0x10, 0x174, 0xc000_0080, 0xc000_0101, random.next()]), rdx: random.pick([0, random.next()]) };
  const cr4 = random.next() & (CR4.VME | CR4.PVI | CR4.DE | CR4.TSD | CR4.UMIP | CR4.FSGSBASE);
  const rsp = random.pick([0x8_0000, 0x8_0000, 2, 0, 0xffff_ffff]);
  switch (random.below(4)) {
    case 0: m.real({ rflags: rflags & ~EFLAGS.NT, registers, rsp }); break;
    case 1: m.protected(random.pick([0, 1, 3]), { rflags, registers, cr4, rsp }); break;
    case 2: m.long(random.pick([0, 3]), { rflags, registers, cr4: cr4 | CR4.PAE, rsp }); break;
    default:
      m.protected(3, { rflags: rflags | EFLAGS.VM, registers, cr4, rsp });
      for (let index = SEG.ES; index <= SEG.GS; index++) {
        m.state.set('segmentAttributes', 0xf3, index);
        m.state.set('segmentLimit', 0xffff, index);
      }
      recomputeMode(m.cpu);
  }
  refreshSegments(m.state);
}

/** Everything but what a fault may touch: the fault itself, CR2's source, the scratch area. */
function snapshot(m: TestMachine): Uint8Array {
  const { base, u8 } = m.state;
  const bytes = u8.slice(base, base + STATE_SIZE_BYTES);
  bytes.fill(0, STATE.scratch);
  bytes.fill(0, STATE.faultVector, STATE.faultAddress + 8);
  // General detect reports itself in DR6.
  bytes.fill(0, STATE.dr + 48, STATE.dr + 56);
  return bytes;
}

/** Byte offset in the state block, or -1. */
function firstDifference(a: Uint8Array, b: Uint8Array): number { return a.findIndex((byte, at) => byte !== b[at]); }

function derived(m: TestMachine): string {
  const { state } = m;
  const slots = Array.from({ length: 12 }, (_, index) => state.big('segment', index));
  return [state.get('modeKey'), state.big('linearMask'), state.big('stackMask'), state.big('tlbTag'), ...slots].map((value) => value.toString(16)).join(' ');
}

function checkConsistent(m: TestMachine, what: string): void {
  const { state, cpu } = m;
  const before = derived(m);
  recomputeMode(cpu);
  refreshSegments(state);
  expect(derived(m), what).toBe(before);
  const isProtected = (state.lo('cr0') & CR0.PE) !== 0;
  if (!isProtected) expect(cpu.cpl, what).toBe(0);
  else if (cpu.isVm86) expect(cpu.cpl, what).toBe(3);
  else {
    // A task switch that faulted on its CS or SS leaves it unusable; the CPL is CS's RPL then.
    const cs = state.get('segmentAttributes', SEG.CS), ss = state.get('segmentAttributes', SEG.SS);
    if (!(cs & ATTRIBUTE.UNUSABLE)) expect(cs & ATTRIBUTE.S, `${what}: CS is code`).toBe(ATTRIBUTE.S);
    if (!(cs & ATTRIBUTE.UNUSABLE)) expect(ss >> 5 & 3, `${what}: SS.DPL`).toBe(cpu.cpl);
  }
}

it(`leaves a consistent CPU behind, and an untouched one after a fault, in ${String(CASES)} random cases`, () => {
  const m = new TestMachine({ model: CPU_MODELS['host-like'] });
  const outcomes = new Map<string, number>();
  for (let seed = 1; seed <= CASES; seed++) {
    const random = new Random(seed * 2654435761);
    randomMode(m, random);
    if (random.chance(4)) randomizeTables(m, random);
    const name = random.pick(NAMES);
    const selector = random.below(40) << 3 | random.below(8);
    const isIndexed = /^(mov_(from|to)_[cd]r|load_segment)$/.test(name);
    const first = name === 'load_segment' ? random.pick([0, 2, 3, 4, 5]) : isIndexed ? random.below(9) : random.pick([selector, random.below(256), 0x8_0000, random.next()]);
    const args = [first, random.pick([selector, 0x5000, random.next(), 1]), random.next()];
    const what = `seed ${String(seed)}: ${name}(${args.map((value) => value.toString(16)).join(', ')})`;
    const before = snapshot(m);
    m.cpu.isTaskCommitted = false;
    const status = m.call(name, args, random.pick([2, 4, 8]));
    outcomes.set(`${name} ${String(status)}`, (outcomes.get(`${name} ${String(status)}`) ?? 0) + 1);
    if (status === 2) {
      expect(m.fault, what).toBeDefined();
      if (!m.cpu.isTaskCommitted) expect(firstDifference(snapshot(m), before), what).toBe(-1);
      if (m.cpu.deliverException() === 'delivered') checkConsistent(m, `${what}, delivered`);
    } else {
      expect(m.fault, what).toBeUndefined();
      checkConsistent(m, what);
    }
    if (random.chance(3)) {
      m.cpu.beginStep();
      if (m.fault === undefined && m.cpu.endStep() === 'delivered') checkConsistent(m, `${what}, stepped`);
    }
    m.gpr(GPR.RSP, 0x8_0000);
  }
  // The cases are worth something only if they get past the checks too.
  for (const name of ['iret 1', 'iret 2', 'far_call 1', 'far_return 1', 'far_jump 1', 'int_n 1', 'int_n 2', 'load_segment 0', 'load_segment 1', 'syscall 1', 'wrmsr 0', 'popf 1']) {
    expect(outcomes.get(name) ?? 0, name).toBeGreaterThan(5);
  }
}, 60_000);
