import { MachineMemory } from '@vmm/memory';
import type { MachineMemoryOptions } from '@vmm/memory';
import type { AccessKind } from '@vmm/paging';
import { CR0, CR4, EFER } from '@vmm/spec';
import { STATE, StateView, TLB_ENTRY, VCPU_LAYOUT } from '@vmm/state';
import { EptMmu } from './ept-mmu.ts';
import type { EptMmuOptions } from './ept-mmu.ts';

export const RAM_BYTES = 16 << 20;
export const PRIVATE_BASE = VCPU_LAYOUT.sizeBytes;

/** Page-table entry flags, and one table page per kind of table. */
export const F = { P: 1, RW: 2, US: 4, A: 0x20, D: 0x40, PS: 0x80, G: 0x100 } as const;

/**
 * A guest of one vCPU (the second, so that nothing works only because its private area starts at 0), and the part of generated code that matters
 * here: the probe, the call of `access` when it misses, the commit.
 */
export class Guest {
  readonly memory: MachineMemory;
  readonly state: StateView;
  readonly mmu: EptMmu;
  readonly codeWrites: { gpa: number; size: number; before: number }[] = [];
  readonly mmioLog: string[] = [];
  readonly mmioBytes = new Map<number, number>();
  /** What the code-write hook does besides logging. */
  onCodeWrite: (host: number) => void = () => undefined;
  #nextTable = 0x10_0000;

  constructor(options: Partial<EptMmuOptions> & { readonly memoryOptions?: Partial<MachineMemoryOptions> } = {}) {
    this.memory = new MachineMemory({ ramBytes: RAM_BYTES, vcpus: 2, mmio: {
      read: (gpa, size) => {
        this.mmioLog.push(`r${size} ${gpa.toString(16)}`);
        let value = 0;
        for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.mmioBytes.get(gpa + i) ?? gpa + i & 0xff);
        return value;
      },
      write: (gpa, size, value) => {
        this.mmioLog.push(`w${size} ${gpa.toString(16)} ${value.toString(16)}`);
        for (let i = 0; i < size; i++) this.mmioBytes.set(gpa + i, Math.floor(value / 256 ** i) & 0xff);
      },
    }, ...options.memoryOptions });
    this.state = new StateView(this.memory.buffer, PRIVATE_BASE + VCPU_LAYOUT.state);
    this.state.setWords('linearMask', -1, 0);
    this.state.set('faultVector', -1);
    this.mmu = new EptMmu({
      memory: this.memory, state: this.state, privateBase: PRIVATE_BASE,
      onCodeWrite: (host, size) => {
        this.codeWrites.push({ gpa: host - this.memory.ramBase, size, before: this.memory.u8[host]! });
        this.onCodeWrite(host);
      },
      ...options,
    });
  }

  /** Switches to 4-level paging with an empty root. */
  enterLongMode(more: { readonly cr0?: number; readonly cr4?: number } = {}): void {
    this.state.setNumber('cr3', this.newTable());
    this.state.setNumber('cr0', CR0.PE + CR0.PG + (more.cr0 ?? 0));
    this.state.setNumber('cr4', CR4.PAE | (more.cr4 ?? 0));
    this.state.setNumber('efer', EFER.LME | EFER.LMA | EFER.NXE);
    this.state.setWords('linearMask', -1, -1);
    this.mmu.controlChanged();
  }

  enter32Bit(more: { readonly cr0?: number; readonly cr4?: number } = {}): void {
    this.state.setNumber('cr3', this.newTable());
    this.state.setNumber('cr0', CR0.PE + CR0.PG + (more.cr0 ?? 0));
    this.state.setNumber('cr4', CR4.PSE | (more.cr4 ?? 0));
    this.mmu.controlChanged();
  }

  newTable(): number {
    const table = this.#nextTable;
    this.#nextTable += 0x1000;
    return table;
  }

  /** Maps a page of 2^shift bytes in the current 4-level tables (tables are writable user ones); returns where its entry is. */
  map(linear: bigint, gpa: number, flags: number, shift: 12 | 21 | 30 = 12, root = this.state.number('cr3') & ~0xfff): number {
    let table = root;
    for (let level = 39; level > shift; level -= 9) {
      const at = table + Number((linear >> BigInt(level)) & 511n) * 8;
      if ((this.memory.guest.read32(at) & F.P) === 0) this.memory.guest.write32(at, this.newTable() | F.P | F.RW | F.US);
      table = this.memory.guest.read32(at) & ~0xfff;
    }
    const at = table + Number((linear >> BigInt(shift)) & 511n) * 8;
    this.memory.guest.write64(at, BigInt(gpa) | BigInt(flags) | (shift === 12 ? 0n : BigInt(F.PS)));
    return at;
  }

  map32(linear: number, gpa: number, flags: number): number {
    const root = this.state.number('cr3');
    const at = root + (linear >>> 22) * 4;
    if ((this.memory.guest.read32(at) & F.P) === 0) this.memory.guest.write32(at, this.newTable() | F.P | F.RW | F.US);
    const entry = (this.memory.guest.read32(at) & ~0xfff) + (linear >>> 12 & 1023) * 4;
    this.memory.guest.write32(entry, gpa | flags);
    return entry;
  }

  setCpl(cpl: number): void {
    this.state.set('cpl', cpl);
    this.mmu.contextChanged();
  }

  /** The inline probe: the host address, or 0 when it misses. */
  probe(linear: bigint, size: number, kind: AccessKind): number {
    const { data } = this.memory;
    const entry = PRIVATE_BASE + VCPU_LAYOUT.tlb + (Number((linear >> 12n) & BigInt(VCPU_LAYOUT.tlbEntries - 1)) * VCPU_LAYOUT.tlbEntryBytes ^ this.state.get('tlbFlip'));
    const wanted = BigInt.asUintN(64, ((linear + BigInt(size - 1)) & ~0xfffn) | data.getBigUint64(this.state.base + STATE.tlbTag, true));
    const tag = kind === 2 ? TLB_ENTRY.execTag : kind === 0 ? TLB_ENTRY.readTag : TLB_ENTRY.writeTag;
    if (data.getBigUint64(entry + tag, true) !== wanted) return 0;
    return (Number(linear & 0xffff_ffffn) + data.getInt32(entry + TLB_ENTRY.addend, true)) >>> 0;
  }

  /** Probe, then `access`. */
  host(linear: bigint, size: number, kind: AccessKind): number {
    return this.probe(linear, size, kind) || this.access(linear, size, kind);
  }

  access(linear: bigint, size: number, kind: AccessKind): number {
    this.state.set('faultVector', -1);
    return this.mmu.access(Number(linear & 0xffff_ffffn) | 0, Number(linear >> 32n) | 0, size, kind);
  }

  load(linear: bigint, size: number, kind: 0 | 2 = 0): number[] | 'fault' {
    const host = this.host(linear, size, kind);
    return host === 0 ? 'fault' : [...this.memory.u8.subarray(host, host + size)];
  }

  store(linear: bigint, bytes: readonly number[], kind: 1 | 3 = 1): 'done' | 'fault' {
    const host = this.host(linear, bytes.length, kind);
    if (host === 0) return 'fault';
    this.memory.u8.set(bytes, host);
    if (host < PRIVATE_BASE + VCPU_LAYOUT.tlb) this.mmu.commit();
    return 'done';
  }

  fault(): { vector: number; error: number; address: bigint } {
    return { vector: this.state.get('faultVector'), error: this.state.get('faultError'), address: this.state.big('faultAddress') };
  }
}
