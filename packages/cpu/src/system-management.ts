/**
 * System-management mode: SMI, the state save map, RSM, restart of the I/O instruction that caused it. CPUs with long mode save AMD64's map (revision 0x20064), others the 32-bit one (0x20000), as QEMU and
 * firmware for it have it. APM vol 2 §10.2, Table 10-1; SDM vol 3C §31.4, Table 31-1
 */
import { DR6, DR7 } from '@vmm/spec';
import { STATE } from '@vmm/state';
import { ATTRIBUTE, CR0, EFER, EFLAGS, GPR, SEG } from './architecture.ts';
import { SEGMENT_NAMES } from './boot-state.ts';
import { refreshAll } from './control-registers.ts';
import type { Cpu } from './cpu.ts';
import { readFlags, writeFlags } from './flags.ts';
import { REDISPATCH } from './status.ts';
import type { Status } from './status.ts';

const SMBASE_RESET = 0x3_0000, ENTRY = 0x8000, STATE_SAVE = 0x8000;
/** Bit 17 of the revision: the handler may move SMBASE; bit 16: it may have an I/O instruction restarted. */
const REVISION_64 = 0x3_0064, REVISION_32 = 0x3_0000, CAN_RELOCATE = 0x2_0000;
/** The revision, and the slots that say whether to go back to HLT, and to the I/O instruction. */
const MAP = { revision: 0x7efc, haltSlot64: 0x7ec9, haltSlot32: 0x7f02, restartSlot64: 0x7ec8, restartSlot32: 0x7f00, restartAccess: 0x7ec0 } as const;
/** What the I/O instruction began with: RIP, RCX, RSI, RDI. APM vol 2 Table 10-1 */
const RESTART_64 = [0x7ea0, 0x7ea8, 0x7eb0, 0x7eb8] as const, RESTART_32 = [0x7f10, 0x7f08, 0x7f0c, 0x7f04] as const;
const RESTARTED = [STATE.rip, STATE.gpr + 8 * GPR.RCX, STATE.gpr + 8 * GPR.RSI, STATE.gpr + 8 * GPR.RDI] as const;
/** What the handler writes into the slot, and the description of the access. APM vol 2 §10.2.3 */
const RESTART = 0xff, ACCESS = { IN: 1, VALID: 2, SIZE_SHIFT: 4, PORT_SHIFT: 16 } as const;
/** Every segment: 4 GiB, writable, 16-bit. */
const ENTERED_DATA = 0x8093;

/** One word of the map: where, how wide, and the state block field behind it. */
interface Slot { readonly at: number; readonly bytes: 2 | 4 | 8; readonly field: number }

const segment64 = (base: number, index: number): Slot[] => [
  { at: base, bytes: 2, field: STATE.selector + 4 * index }, { at: base + 2, bytes: 2, field: STATE.segmentAttributes + 4 * index },
  { at: base + 4, bytes: 4, field: STATE.segmentLimit + 4 * index }, { at: base + 8, bytes: 8, field: STATE.segmentBase + 8 * index },
];
const MAP_64: readonly Slot[] = [
  ...[SEG.ES, SEG.CS, SEG.SS, SEG.DS, SEG.FS, SEG.GS].flatMap((index) => segment64(0x7e00 + 16 * index, index)),
  { at: 0x7e64, bytes: 4, field: STATE.gdtrLimit }, { at: 0x7e68, bytes: 8, field: STATE.gdtrBase }, ...segment64(0x7e70, SEG.LDTR),
  { at: 0x7e84, bytes: 4, field: STATE.idtrLimit }, { at: 0x7e88, bytes: 8, field: STATE.idtrBase }, ...segment64(0x7e90, SEG.TR),
  { at: 0x7ed0, bytes: 8, field: STATE.efer }, { at: 0x7f48, bytes: 8, field: STATE.cr4 }, { at: 0x7f50, bytes: 8, field: STATE.cr3 }, { at: 0x7f58, bytes: 8, field: STATE.cr0 },
  { at: 0x7f60, bytes: 8, field: STATE.dr + 8 * 7 }, { at: 0x7f68, bytes: 8, field: STATE.dr + 8 * 6 }, { at: 0x7f78, bytes: 8, field: STATE.rip },
  ...Array.from({ length: 16 }, (_, index): Slot => ({ at: 0x7ff8 - 8 * index, bytes: 8, field: STATE.gpr + 8 * index })),
];
const FLAGS_64 = 0x7f70, SMBASE_64 = 0x7f00;

const segment32 = (hidden: number, index: number): Slot[] => [
  { at: 0x7fa8 + 4 * index, bytes: 4, field: STATE.selector + 4 * index }, { at: hidden, bytes: 4, field: STATE.segmentAttributes + 4 * index },
  { at: hidden + 4, bytes: 4, field: STATE.segmentLimit + 4 * index }, { at: hidden + 8, bytes: 4, field: STATE.segmentBase + 8 * index },
];
const MAP_32: readonly Slot[] = [
  ...[SEG.ES, SEG.CS, SEG.SS].flatMap((index) => segment32(0x7f84 + 12 * index, index)), ...[SEG.DS, SEG.FS, SEG.GS].flatMap((index) => segment32(0x7f2c + 12 * (index - SEG.DS), index)),
  { at: 0x7ffc, bytes: 4, field: STATE.cr0 }, { at: 0x7ff8, bytes: 4, field: STATE.cr3 }, { at: 0x7ff0, bytes: 4, field: STATE.rip }, { at: 0x7f14, bytes: 4, field: STATE.cr4 },
  ...Array.from({ length: 8 }, (_, index): Slot => ({ at: 0x7fd0 + 4 * index, bytes: 4, field: STATE.gpr + 8 * index })),
  { at: 0x7fcc, bytes: 4, field: STATE.dr + 8 * 6 }, { at: 0x7fc8, bytes: 4, field: STATE.dr + 8 * 7 },
  { at: 0x7fc4, bytes: 4, field: STATE.selector + 4 * SEG.TR }, { at: 0x7f64, bytes: 4, field: STATE.segmentBase + 8 * SEG.TR },
  { at: 0x7f60, bytes: 4, field: STATE.segmentLimit + 4 * SEG.TR }, { at: 0x7f5c, bytes: 4, field: STATE.segmentAttributes + 4 * SEG.TR },
  { at: 0x7fc0, bytes: 4, field: STATE.selector + 4 * SEG.LDTR }, { at: 0x7f80, bytes: 4, field: STATE.segmentBase + 8 * SEG.LDTR },
  { at: 0x7f7c, bytes: 4, field: STATE.segmentLimit + 4 * SEG.LDTR }, { at: 0x7f78, bytes: 4, field: STATE.segmentAttributes + 4 * SEG.LDTR },
  { at: 0x7f74, bytes: 4, field: STATE.gdtrBase }, { at: 0x7f70, bytes: 4, field: STATE.gdtrLimit }, { at: 0x7f58, bytes: 4, field: STATE.idtrBase }, { at: 0x7f54, bytes: 4, field: STATE.idtrLimit },
];
const FLAGS_32 = 0x7ff4, SMBASE_32 = 0x7ef8;
/** The 16 bits that the 64-bit map has for attributes leave out that a segment is unusable; null selectors and absent segments say it. */
const SAVED_ATTRIBUTES = 0xf0ff;
/** Fields of 64 bits in the state block: a slot of 32 clears their upper half. */
const isWide = (field: number): boolean => field < STATE.flagAux || field >= STATE.cr0 && field < STATE.selector || field >= STATE.segmentBase && field < STATE.segmentLimit || field === STATE.gdtrBase || field === STATE.idtrBase;
const isAttributes = (field: number): boolean => field >= STATE.segmentAttributes && field < STATE.segmentAttributes + 4 * SEGMENT_NAMES.length;

/** One CPU's system management. */
export class SystemManagement {
  isActive = false;
  base = SMBASE_RESET;
  /** SMIs since power-on: MSR SMI_COUNT. */
  count = 0;
  #isPending = false;
  /** The last access to a port, if something waits since then: RIP, RCX, RSI and RDI before it, low and high words. */
  readonly #restart = new Int32Array(2 * RESTARTED.length);
  #access = 0;
  /** That access may have changed RCX, RSI and RDI: a string instruction's. Others are where they were, and where they are not noted right. */
  #usesRegisters = false;
  #wasNmiBlocked = false;
  readonly #cpu: Cpu;

  constructor(cpu: Cpu) { this.#cpu = cpu; }

  reset(): void {
    this.isActive = false;
    this.#isPending = false;
    this.base = SMBASE_RESET;
    this.count = 0;
  }

  /** Between instructions: enters if an SMI is due. One that comes during another waits for its RSM. True: entered. */
  poll(requested: boolean): boolean {
    if (requested) this.#isPending = true;
    if (this.#isPending && !this.isActive) {
      this.#isPending = false;
      this.#enter();
      this.#access = 0;
      return true;
    }
    this.#access = 0;
    return false;
  }

  /** An instruction has used a port, and something is to be looked at before the next one: if that is an SMI, its handler may have the instruction done again. */
  noteAccess(port: number, size: number, isInput: boolean, usesRegisters = true): void {
    this.#usesRegisters = usesRegisters;
    this.#note(0);
    this.#access = port << ACCESS.PORT_SHIFT | size << ACCESS.SIZE_SHIFT | ACCESS.VALID | (isInput ? ACCESS.IN : 0);
  }

  #note(first: number): void {
    const { state } = this.#cpu;
    for (let i = first; i < RESTARTED.length; i++) {
      const field = RESTARTED[i] ?? STATE.rip;
      this.#restart[2 * i] = state.word(field);
      this.#restart[2 * i + 1] = state.word(field + 4);
    }
  }

  get #isLong(): boolean { return this.#cpu.cpuid.has('lm'); }

  #enter(): void {
    const { state } = this.#cpu, flags = readFlags(state), saved = state.u8.slice(state.base, state.base + STATE.fpr);
    const before = new DataView(saved.buffer), halted = state.word(STATE.halted);
    this.#switchOff();
    this.#save(before, flags, halted);
    this.isActive = true;
    this.count++;
    this.#wasNmiBlocked = this.#cpu.isNmiBlocked;
    this.#cpu.isNmiBlocked = true;
    this.#cpu.monitored.isArmed = false;
    this.#cpu.debugHits = 0;
    writeFlags(state, EFLAGS.FIXED);
    for (let index: number = SEG.ES; index <= SEG.GS; index++) this.#segment(index, 0, 0, ENTERED_DATA);
    this.#segment(SEG.CS, this.base >>> 4 & 0xffff, this.base, ENTERED_DATA);
    state.setPair(STATE.rip, ENTRY, 0);
    state.setPair(STATE.dr + 8 * 7, DR7.RESET, 0);
    for (const field of [STATE.halted, STATE.inhibit, STATE.cpl]) state.setWord(field, 0);
    refreshAll(this.#cpu);
  }

  /** Real mode without paging: what the map is then accessed with. */
  #switchOff(): void {
    const { state } = this.#cpu;
    state.setPair(STATE.cr0, state.word(STATE.cr0) & ~(CR0.PE | CR0.EM | CR0.TS | CR0.PG), 0);
    state.setPair(STATE.cr4, 0, 0);
    state.setPair(STATE.efer, 0, 0);
    state.setWord(STATE.eflags, state.word(STATE.eflags) & ~EFLAGS.VM);
    state.setWord(STATE.cpl, 0);
    this.#cpu.linearWidthChanged();
    this.#cpu.mmu.controlChanged();
  }

  #segment(index: number, selector: number, base: number, attributes: number): void {
    const { state } = this.#cpu;
    state.setWord(STATE.selector + 4 * index, selector);
    state.setPair(STATE.segmentBase + 8 * index, base, 0);
    state.setWord(STATE.segmentLimit + 4 * index, -1);
    state.setWord(STATE.segmentAttributes + 4 * index, attributes);
  }

  #save(before: DataView, flags: number, halted: number): void {
    const isLong = this.#isLong;
    for (const { at, bytes, field } of isLong ? MAP_64 : MAP_32) {
      const word = before.getInt32(field, true);
      this.#write(at, isAttributes(field) ? savedAttributes(word) : word, bytes);
      if (bytes === 8) this.#write(at + 4, before.getInt32(field + 4, true), 4);
    }
    this.#write(isLong ? FLAGS_64 : FLAGS_32, flags, 4);
    this.#write(isLong ? SMBASE_64 : SMBASE_32, this.base, 4);
    this.#write(MAP.revision, isLong ? REVISION_64 : REVISION_32, 4);
    this.#cpu.mmu.writeSystem8(this.#address(isLong ? MAP.haltSlot64 : MAP.haltSlot32), 0, halted === 0 ? 0 : 1);
    this.#saveRestart();
  }

  #saveRestart(): void {
    const isLong = this.#isLong, isValid = this.#access !== 0;
    if (!this.#usesRegisters) this.#note(1);
    this.#cpu.mmu.writeSystem8(this.#address(isLong ? MAP.restartSlot64 : MAP.restartSlot32), 0, 0);
    if (isLong) this.#write(MAP.restartAccess, this.#access, 4);
    (isLong ? RESTART_64 : RESTART_32).forEach((at, i) => {
      this.#write(at, isValid ? this.#restart[2 * i] ?? 0 : 0, 4);
      if (isLong) this.#write(at + 4, isValid ? this.#restart[2 * i + 1] ?? 0 : 0, 4);
    });
  }

  /** RSM. False: a state that no CPU can be in, which is shutdown. */
  resume(): boolean {
    const { state } = this.#cpu, isLong = this.#isLong;
    this.#switchOff();
    const values = (isLong ? MAP_64 : MAP_32).map(({ at, bytes, field }) => ({ field, bytes, lo: this.#read(at, bytes), hi: bytes === 8 ? this.#read(at + 4, 4) : 0 }));
    const flags = this.#read(isLong ? FLAGS_64 : FLAGS_32, 4), revision = this.#read(MAP.revision, 4), base = this.#read(isLong ? SMBASE_64 : SMBASE_32, 4);
    const restarts = this.#cpu.mmu.readSystem8(this.#address(isLong ? MAP.restartSlot64 : MAP.restartSlot32), 0) === RESTART;
    const begun = (isLong ? RESTART_64 : RESTART_32).map((at) => ({ lo: this.#read(at, 4), hi: isLong ? this.#read(at + 4, 4) : 0 }));
    const halts = (this.#cpu.mmu.readSystem8(this.#address(isLong ? MAP.haltSlot64 : MAP.haltSlot32), 0) & 1) !== 0;
    for (const { field, bytes, lo, hi } of values) {
      state.setWord(field, isAttributes(field) ? restoredAttributes(lo) : field === STATE.dr + 8 * 6 ? lo & 0xe00f | DR6.RESET : lo);
      if (bytes === 8 || isWide(field)) state.setWord(field + 4, hi);
    }
    if (restarts) RESTARTED.forEach((field, i) => { state.setPair(field, begun[i]?.lo ?? 0, begun[i]?.hi ?? 0); });
    if (revision & CAN_RELOCATE) this.base = base >>> 0;
    writeFlags(state, flags);
    state.setPair(STATE.cr0, state.word(STATE.cr0) | CR0.ET, 0);
    const cr0 = state.word(STATE.cr0), efer = state.word(STATE.efer);
    if (cr0 & CR0.PG && !(cr0 & CR0.PE) || cr0 & CR0.NW && !(cr0 & CR0.CD) || state.word(STATE.cr4) & ~this.#cpu.cpuid.cr4Mask) return false;
    state.setPair(STATE.efer, isLong ? efer & ~EFER.LMA | (efer & EFER.LME && cr0 & CR0.PG ? EFER.LMA : 0) : 0, 0);
    state.setWord(STATE.cpl, cr0 & CR0.PE ? flags & EFLAGS.VM ? 3 : (state.word(STATE.segmentAttributes + 4 * SEG.SS) & ATTRIBUTE.DPL) >> 5 : 0);
    state.setWord(STATE.halted, halts ? 1 : 0);
    this.isActive = false;
    this.#cpu.isNmiBlocked = this.#wasNmiBlocked;
    refreshAll(this.#cpu);
    return true;
  }

  #address(offset: number): number { return this.base + STATE_SAVE + offset | 0; }
  #read(offset: number, bytes: number): number {
    const { mmu } = this.#cpu, at = this.#address(offset);
    return bytes === 2 ? mmu.readSystem16(at, 0) : mmu.readSystem32(at, 0) | 0;
  }
  #write(offset: number, value: number, bytes: number): void {
    const { mmu } = this.#cpu, at = this.#address(offset);
    if (bytes === 2) mmu.writeSystem16(at, 0, value & 0xffff);
    else mmu.writeSystem32(at, 0, value);
  }
}

/** An unusable segment is saved as absent. */
function savedAttributes(attributes: number): number { return attributes & ATTRIBUTE.UNUSABLE ? 0 : attributes & SAVED_ATTRIBUTES; }
function restoredAttributes(saved: number): number { return saved & ATTRIBUTE.P ? saved & SAVED_ATTRIBUTES : saved & SAVED_ATTRIBUTES | ATTRIBUTE.UNUSABLE; }

export function resumeFromManagement(cpu: Cpu): Status {
  const { management } = cpu;
  if (!management.isActive) return cpu.undefinedOpcode();
  if (!management.resume()) cpu.isShutDown = true;
  // what waited is looked at before the next instruction
  cpu.requestAttention();
  return REDISPATCH;
}
