/** Our virtual CPU as the other side: the same cases in 64-bit mode on the interpreter. */
import { CPU_MODELS, readFlags, Vcpu, writeFlags } from '@vmm/cpu';
import type { BootSegment } from '@vmm/cpu';
import { FPU_CALLOUTS } from '@vmm/fpu';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { STATE } from '@vmm/state';
import { CASE, CODE_ADDRESS, DATA_ADDRESS, DATA_PAGE, FX, NO_VECTOR, TestCase } from './case-layout.ts';

/** Guest-physical homes of the tables, the data page and the code. */
const TABLES = 0x1000, DATA_GPA = 0x8000, CODE_GPA = 0x20_0000, RAM_BYTES = 0x40_0000;
const PRESENT = 7, LARGE = 0x80;
const CR0_PE_MP_NE_PG = 0x8000_0023, CR4_PAE_FXSR_XMM_XSAVE = 0x4_0620, EFER_LME_NXE = 0x900;
const SLOT_BYTES = 64, HLT = 0xf4;
/** Flat 64-bit code and data. */
const CODE64: BootSegment = { selector: 8, base: 0, limit: 0xffff_ffff, attributes: 0xa09b };
const DATA64: BootSegment = { selector: 16, base: 0, limit: 0xffff_ffff, attributes: 0xc093 };

export class EmulatedCpu {
  readonly #memory = new MachineMemory({ ramBytes: RAM_BYTES });
  readonly #vcpu: Vcpu;
  readonly #slots = new Map<string, number>();
  #exception: { vector: number; errorCode: number } | undefined;
  readonly #page: Uint8Array;
  readonly #data: Uint8Array;

  constructor() {
    this.#mapPages();
    this.#vcpu = new Vcpu({
      memory: this.#memory, model: CPU_MODELS['host-like'],
      createMmu: (context) => new EptMmu(context),
      ports: { read: () => 0, write: () => undefined },
      interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
      callouts: FPU_CALLOUTS,
      clock: { tscHz: 1e9, readTsc: () => 0n },
    });
    this.#vcpu.onException = (vector, errorCode) => { this.#exception ??= { vector, errorCode }; };
    this.#page = this.#memory.guest.view(DATA_GPA, 0x1000);
    this.#data = this.#memory.guest.view(DATA_GPA + (DATA_ADDRESS - DATA_PAGE), CASE.memoryBytes);
    this.#boot();
  }

  #mapPages(): void {
    const { guest } = this.#memory, table = new DataView(new ArrayBuffer(0x6000));
    const entry = (page: number, index: number, value: number): void => { table.setUint32(page * 0x1000 + index * 8, value, true); };
    const address = (page: number): number => (TABLES + page * 0x1000) | PRESENT;
    // 0: PML4, 1: PDPT, 2: PD of the code, 3: the same PD's data entries, 4: PT of the data page
    entry(0, 0, address(1));
    entry(1, 0, address(2));
    entry(2, CODE_ADDRESS >> 21, CODE_GPA | PRESENT | LARGE);
    entry(2, DATA_PAGE >> 21, address(3));
    entry(3, DATA_PAGE >> 12 & 511, DATA_GPA | PRESENT);
    guest.writeBytes(TABLES, new Uint8Array(table.buffer));
  }

  #boot(): void {
    this.#vcpu.boot({
      mode: 'long', rip: CODE_ADDRESS, rsp: 0, rflags: 2, registers: {}, segments: { cs: CODE64, ss: DATA64, ds: DATA64, es: DATA64 },
      cr0: CR0_PE_MP_NE_PG, cr3: TABLES, cr4: CR4_PAE_FXSR_XMM_XSAVE, efer: EFER_LME_NXE, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
    });
    this.#vcpu.state.setWords('xcr0', 7, 0);
  }

  /** Where this code lies, placing it (followed by HLT) on first use. */
  #place(code: Uint8Array): number {
    const key = code.join();
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const offset = this.#slots.size * SLOT_BYTES;
    this.#memory.guest.writeBytes(CODE_GPA + offset, Uint8Array.of(...code, HLT));
    this.#slots.set(key, CODE_ADDRESS + offset);
    return CODE_ADDRESS + offset;
  }

  run(test: TestCase, maxInstructions = 100): TestCase {
    const rip = this.#place(test.code), { state } = this.#vcpu;
    this.#load(test);
    state.setNumber('rip', rip);
    state.set('halted', 0);
    state.set('faultVector', -1);
    this.#exception = undefined;
    const reason = this.#vcpu.run(maxInstructions);
    const after = new TestCase(Uint8Array.from(test.bytes));
    this.#save(after);
    const exception = this.#exception as { vector: number; errorCode: number } | undefined;
    after.view.setUint32(CASE.vector, exception?.vector ?? NO_VECTOR, true);
    after.view.setUint32(CASE.errorCode, exception?.errorCode ?? 0, true);
    after.view.setBigInt64(CASE.rip, exception === undefined ? BigInt(state.number('rip') - rip - 1) : 0n, true);
    if (exception === undefined && reason !== 'halt') throw new Error(`the virtual CPU ended with "${reason}"`);
    return after;
  }

  #load(test: TestCase): void {
    const { state } = this.#vcpu, fx = new DataView(test.fx.buffer, test.fx.byteOffset, test.fx.byteLength);
    for (let i = 0; i < 16; i++) state.setBig('gpr', test.gpr(i), i);
    writeFlags(state, Number(test.flags) & ~0x200);
    const status = test.fpuStatus, top = status >> 11 & 7;
    state.set('fpuControl', test.fpuControl);
    state.set('fpuStatus', status & ~0x3800);
    state.set('fpuTop', top);
    state.set('fpuTags', ~test.fpuTags & 0xff);
    state.set('mxcsr', fx.getInt32(FX.mxcsr, true));
    for (let i = 0; i < 8; i++) state.u8.set(test.st(i).subarray(0, 10), state.base + STATE.fpr + 16 * (top + i & 7));
    for (let i = 0; i < 16; i++) {
      state.u8.set(test.xmm(i), state.base + STATE.vector + 32 * i);
      state.u8.set(test.ymmHigh(i), state.base + STATE.vector + 32 * i + 16);
    }
    this.#page.fill(0);
    this.#data.set(test.memory);
  }

  #save(test: TestCase): void {
    const { state } = this.#vcpu, top = state.get('fpuTop');
    for (let i = 0; i < 16; i++) test.setGpr(i, BigInt.asUintN(64, state.big('gpr', i)));
    test.flags = BigInt(readFlags(state)) | 0x200n;
    test.fpuControl = state.get('fpuControl');
    test.fpuStatus = state.get('fpuStatus') | top << 11;
    test.fpuTags = ~state.get('fpuTags') & 0xff;
    test.mxcsr = state.get('mxcsr');
    const copy = (to: Uint8Array, at: number): void => { to.set(state.u8.subarray(at, at + to.length)); };
    for (let i = 0; i < 8; i++) copy(test.st(i).subarray(0, 10), state.base + STATE.fpr + 16 * (top + i & 7));
    for (let i = 0; i < 16; i++) {
      copy(test.xmm(i), state.base + STATE.vector + 32 * i);
      copy(test.ymmHigh(i), state.base + STATE.vector + 32 * i + 16);
    }
    test.memory.set(this.#data);
  }
}
