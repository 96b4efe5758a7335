import { assemble } from '@vmm/assembler';
import { CPU_MODELS, Vcpu } from '@vmm/cpu';
import { decode, Instruction } from '@vmm/decoder';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { RegionTranslator } from './translator.ts';
import type { Policy, Rule, SensitiveRow } from './sensitive.ts';

const CODE = 0x10_0000, STACK = 0x30_0000, GDT = 0x8000, IDT = 0x9000, TABLES = 0x1000, TSS = 0xa000, RAM_BYTES = 16 * 2 ** 20;
const TURNS = 60;
const VECTORS: Readonly<Record<number, Rule>> = { 6: '#UD', 13: '#GP' };
/** OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE; PKE in long mode. */
const CR4 = 0x5_0600, CR4_LONG = 0x40_0020;

interface Program { readonly bytes: Uint8Array; readonly symbols: ReadonlyMap<string, number | bigint> }

function program(row: SensitiveRow, bits: 32 | 64, ring: 0 | 3): Program {
  const wide = bits === 64, cs = ring === 0 ? 8 : 0x1b, ss = ring === 0 ? 0x10 : 0x23;
  const code = row.code
    .replaceAll('@iret_frame', wide ? 'mov rax, rsp\npush SS_NOW\npush rax\npush 2\npush CS_NOW\npush landed' : 'push 2\npush CS_NOW\npush landed')
    .replaceAll('@iret', wide ? 'iretq' : 'iretd').replaceAll('@retf', wide ? 'o64 retf' : 'retf').replaceAll('@sysexit', wide ? 'o64 sysexit' : 'sysexit')
    .replaceAll('@', wide ? 'r' : 'e');
  const { bytes, symbols } = assemble(`
    CS_NOW equ ${cs}
    SS_NOW equ ${ss}
    GDT equ ${GDT}
    mov ebp, ${row.isOnce ? 1 : TURNS}
again:
${code}
    dec ebp
    jnz again
    jmp $
far_target: retf
int_handler: ${wide ? 'iretq' : 'iretd'}
syscall_entry: ${wide ? 'o64 sysret' : 'nop'}
sysenter_entry: ${wide ? 'o64 sysexit' : 'sysexit'}
    align 64
aligned: times 1024 db 0
data: times 64 db 0
zeros: times 16 db 0
far_pointer: dd far_target
    dw CS_NOW
landed_pointer: dd ${row.code.includes('landed:') ? 'landed' : '0'}
    dw CS_NOW
null_pointer: dd 0
    dw 0
data_pointer: dd 0
    dw SS_NOW
gdt_image: dw 0x3f
    dq GDT
idt_image: dw 0xfff
    dq ${IDT}`, { org: CODE, bits });
  return { bytes, symbols };
}

function descriptors(memory: MachineMemory, bits: 32 | 64, ring: 0 | 3, handler: number): void {
  const { guest } = memory, wide = bits === 64;
  const size = wide ? 0xan : 0xcn;
  const entry = (access: bigint): bigint => 0x000f_0000_0000_ffffn | size << 52n | access << 40n;
  guest.write64(GDT + 8, entry(0x9bn));
  guest.write64(GDT + 0x10, entry(0x93n) | 0x40n << 48n);
  guest.write64(GDT + 0x18, entry(0xfbn));
  guest.write64(GDT + 0x20, entry(0xf3n) | 0x40n << 48n);
  guest.write16(TSS + 0x66, 0xffff); // no port map
  guest.write64(GDT + 0x28, BigInt(TSS) << 16n | 0x8bn << 40n | 0x67n);
  for (const vector of [1, 3, 4, 0x80]) {
    const at = IDT + vector * (wide ? 16 : 8);
    guest.write64(at, BigInt(handler & 0xffff) | BigInt(ring === 0 ? 8 : 0x1b) << 16n | 0xeen << 40n | BigInt(handler >>> 16) << 48n);
  }
}

/** The first instruction of a program that a row is about. */
function instructionOf({ mnemonics }: SensitiveRow, bytes: Uint8Array, bits: 32 | 64): Instruction {
  const inst = new Instruction();
  for (let at = 0; !mnemonics.includes(inst.row?.mnemonic); at += inst.length) decode(bytes, at, bytes.length, bits, inst);
  return inst;
}

/** Runs a row's instruction many times and says by counters and faults how the engine dealt with it. */
export function observe(row: SensitiveRow, bits: 32 | 64, ring: 0 | 3, policy: Policy): Rule {
  const memory = new MachineMemory({ ramBytes: RAM_BYTES });
  let translator: RegionTranslator | undefined;
  const vcpu = new Vcpu({
    memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context),
    ports: { read: () => 0xff, write: () => undefined }, interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
    clock: { tscHz: 1e9, readTsc: () => 0n, readTscNumber: () => 0, toleranceInstructions: 100 },
    ...(policy === 'bare' ? { createTranslator: (context) => translator = new RegionTranslator(context, { hotThreshold: 2, batchSize: 1, batchDelayMs: 0 }) } : {}),
  });
  const { bytes, symbols } = program(row, bits, ring), symbol = (name: string): number => Number(symbols.get(name));
  memory.guest.writeBytes(CODE, bytes);
  descriptors(memory, bits, ring, symbol('int_handler'));
  for (const [at, value] of [[0, TABLES + 0x1000], [0x1000, TABLES + 0x2000]] as const) memory.guest.write64(TABLES + at, BigInt(value) | 7n);
  for (let i = 0; i < 8; i++) memory.guest.write64(TABLES + 0x2000 + 8 * i, BigInt(i * 0x20_0000) | 0x87n);
  const wide = bits === 64, dpl = ring << 5;
  const flat = (selector: number, attributes: number): { selector: number; base: number; limit: number; attributes: number } => ({ selector, base: 0, limit: 0xffff_ffff, attributes: attributes | dpl });
  const cs = flat(ring === 0 ? 8 : 0x1b, wide ? 0xa09b : 0xc09b), data = flat(ring === 0 ? 0x10 : 0x23, 0xc093);
  vcpu.boot({
    mode: wide ? 'long' : 'protected', rip: CODE, rsp: STACK, rflags: 2, registers: {},
    segments: { cs, ss: data, ds: data, es: data, fs: data, gs: data, tr: { selector: 0x28, base: TSS, limit: 0x67, attributes: 0x8b } },
    cr0: wide ? 0x8000_0011 : 0x11, cr3: wide ? TABLES : 0, cr4: CR4 | (wide ? CR4_LONG : 0), efer: wide ? 0x501 : 0,
    gdtr: { base: GDT, limit: 0x3f }, idtr: { base: IDT, limit: 0xfff },
  });
  const { state } = vcpu;
  state.setBig('lstar', BigInt(symbol('syscall_entry')));
  state.setBig('star', 0x0013_0008n << 32n);
  state.setBig('sysenterCs', 8n);
  state.setBig('sysenterEip', BigInt(symbol('sysenter_entry')));
  state.setBig('sysenterEsp', BigInt(STACK));
  const isTranslated = row.isOnce && translator?.translates(instructionOf(row, bytes, bits), state.get('modeKey')) === true;
  let fault: number | undefined;
  vcpu.onException = (vector) => { fault ??= vector; };
  let result = 'slice';
  for (let slice = 0; slice < 200 && result === 'slice' && state.lo('gpr', 5) !== 0 || slice < 2; slice++) result = vcpu.run(100);
  if (fault !== undefined) return VECTORS[fault] ?? (`#${fault}` as Rule);
  if (result === 'halt') return 'exit';
  if (state.lo('gpr', 5) !== 0) throw new Error(`${row.name} did not come to its end: ${result} at ${state.big('rip').toString(16)}`);
  if ((vcpu.counters()['callouts'] ?? 0) >= (row.isOnce ? 1 : TURNS)) return 'callout';
  // what ran once was not worth translating
  if (row.isOnce) return isTranslated ? 'inline' : 'in-cache';
  return policy === 'bare' && (vcpu.counters()['untranslatable'] ?? 0) === 0 ? 'inline' : 'in-cache';
}
