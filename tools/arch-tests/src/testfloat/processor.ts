/** The virtual CPU's own x87, SSE and AVX instructions, by TestFloat's names: a loop in guest memory works through a table of operands. */
import { assemble } from '@vmm/assembler';
import { CPU_MODELS, Vcpu } from '@vmm/cpu';
import type { BootSegment } from '@vmm/cpu';
import { FPU_CALLOUTS } from '@vmm/fpu';
import { MachineMemory } from '@vmm/memory';
import { EptMmu } from '@vmm/mmu-ept';
import { RegionTranslator } from '@vmm/translator';
import { typesOf } from './operations.ts';
import type { Operation, Rounding } from './operations.ts';

/** Guest-physical, mapped one to one. A table entry is 64 bytes: operands at 0, 16 and 32, the result at 48; flags are 8 bytes each elsewhere. */
const TABLES = 0x1000, CODE = 0x8000, CONTROL = 0x9000, FLAGS = 0x10_0000, OPERANDS = 0x20_0000, RAM_BYTES = 0x40_0000, LARGE = 0x87;
const ENTRY_BYTES = 64, RESULT = 48, FLAG_BYTES = 8;
export const CAPACITY = 8192;
const CR0 = 0x8000_0023, CR4 = 0x4_0620, EFER = 0x900;
const MXCSR = 0x1f80, FPU_CONTROL = 0x7f;
/** There is no control for the fifth rounding. */
const ROUNDING: Readonly<Partial<Record<Rounding, number>>> = { near_even: 0, min: 1, max: 2, minMag: 3 };
const PRECISION = { 80: 3, 64: 2, 32: 0 } as const;
/** Comparison predicates of VCMPSS and VCMPSD. SDM vol 2, CMPPD table 3-1 */
const PREDICATE: Readonly<Record<string, number>> = { eq: 0, le: 2, lt: 1, eq_signaling: 0x10, le_quiet: 0x12, lt_quiet: 0x11 };

/** One way of doing an operation: instructions between loading the control register and storing the flags. */
export interface Variant { readonly name: string; readonly unit: 'sse' | 'x87'; readonly body: string }

const SUFFIX: Readonly<Record<string, { sse: string; move: string; memory: string }>> = {
  f32: { sse: 's', move: 'movss', memory: 'dword' }, f64: { sse: 'd', move: 'movsd', memory: 'qword' },
};
const X87_MEMORY: Readonly<Record<string, string>> = { f32: 'dword', f64: 'qword', x80: 'tword', i32: 'dword', i64: 'qword' };

export function variantsOf(operation: Operation): Variant[] {
  const { kind, from, to } = typesOf(operation);
  if (ROUNDING[operation.rounding] === undefined) return [];
  if (kind === 'convert') return conversions(from, to);
  if (from === 'x80') return extended(operation);
  const s = SUFFIX[from];
  if (s === undefined) return [];
  const scalar = `s${s.sse}`, load = `${s.move} xmm0, [rsi]\n${s.move} xmm1, [rsi+16]\n`, store = `${s.move} [rsi+${RESULT}], xmm0`;
  switch (kind) {
    case 'add': case 'sub': case 'mul': case 'div': return [
      { name: `${kind}${scalar}`, unit: 'sse', body: `${load}${kind}${scalar} xmm0, xmm1\n${store}` },
      { name: `${kind}p${s.sse}`, unit: 'sse', body: `${load}${s.sse === 's' ? 'shufps xmm0, xmm0, 0\nshufps xmm1, xmm1, 0' : 'unpcklpd xmm0, xmm0\nunpcklpd xmm1, xmm1'}\n${kind}p${s.sse} xmm0, xmm1\n${store}` },
      { name: `v${kind}${scalar}`, unit: 'sse', body: `${load}v${kind}${scalar} xmm0, xmm0, xmm1\n${store}` },
    ];
    case 'sqrt': return [{ name: `sqrt${scalar}`, unit: 'sse', body: `sqrt${scalar} xmm0, [rsi]\n${store}` }];
    case 'roundToInt': return [{ name: `round${scalar}`, unit: 'sse', body: `round${scalar} xmm0, [rsi], 4\n${store}` }];
    case 'mulAdd': return [{ name: `vfmadd213${scalar}`, unit: 'sse', body: `${s.move} xmm1, [rsi]\n${s.move} xmm0, [rsi+16]\n${s.move} xmm2, [rsi+32]\nvfmadd213${scalar} xmm0, xmm1, xmm2\n${store}` }];
    case 'compare': return [
      { name: `vcmp${scalar}`, unit: 'sse', body: `${load}vcmp${scalar} xmm0, xmm0, xmm1, ${String(PREDICATE[operation.name.slice(4)] ?? 0)}\nmovd eax, xmm0\nand eax, 1\nmov [rsi+${RESULT}], rax` },
      comparison(operation.name.slice(4), `${load}${operation.name.endsWith('_quiet') || operation.name.endsWith('_eq') ? 'u' : ''}comi${scalar} xmm0, xmm1`, 'sse'),
    ];
    default: return [];
  }
}

/** The flags of COMISD, UCOMISD, FCOMI and FUCOMI as 0 or 1. */
function comparison(what: string, compare: string, unit: 'sse' | 'x87'): Variant {
  const is = what.startsWith('eq') ? 'sete al\nsetnp dl\nand al, dl' : `${what.startsWith('le') ? 'setbe' : 'setb'} al\nsetnp dl\nand al, dl`;
  return { name: compare.split('\n').at(-1) ?? '', unit, body: `${compare}\n${is}\nmovzx eax, al\nmov [rsi+${RESULT}], rax` };
}

function extended(operation: Operation): Variant[] {
  const { kind } = typesOf(operation), load = 'fld tword [rsi]\n', both = 'fld tword [rsi]\nfld tword [rsi+16]\n', store = `fstp tword [rsi+${RESULT}]`;
  switch (kind) {
    case 'add': case 'mul': case 'sub': case 'div': return [{ name: `f${kind}p`, unit: 'x87', body: `${both}f${kind}p st1, st0\n${store}` }];
    case 'sqrt': return [{ name: 'fsqrt', unit: 'x87', body: `${load}fsqrt\n${store}` }];
    case 'roundToInt': return [{ name: 'frndint', unit: 'x87', body: `${load}frndint\n${store}` }];
    case 'rem': return [{ name: 'fprem1', unit: 'x87', body: `fld tword [rsi+16]\nfld tword [rsi]\n.again: fprem1\nfnstsw ax\ntest ah, 4\njnz .again\n${store}\nfstp st0` }];
    case 'compare': {
      const what = operation.name.slice(7), quiet = what === 'eq' || what.endsWith('_quiet');
      return [comparison(what, `fld tword [rsi+16]\nfld tword [rsi]\nf${quiet ? 'u' : ''}comip st0, st1`, 'x87')].map((v) => ({ ...v, body: `${v.body}\nfstp st0` }));
    }
    default: return [];
  }
}

function conversions(from: string, to: string): Variant[] {
  const sse = (name: string, body: string): Variant => ({ name, unit: 'sse', body }), x87 = (name: string, body: string): Variant => ({ name, unit: 'x87', body });
  const at = `[rsi+${String(RESULT)}]`, out: Variant[] = [], register = (type: string): string => (type === 'i64' ? 'rax' : 'eax');
  const source = SUFFIX[from], target = SUFFIX[to];
  if (from === 'f32' && to === 'f64') out.push(sse('cvtss2sd', `cvtss2sd xmm0, [rsi]\nmovsd ${at}, xmm0`));
  if (from === 'f64' && to === 'f32') out.push(sse('cvtsd2ss', `cvtsd2ss xmm0, [rsi]\nmovss ${at}, xmm0`));
  if (from === 'f16' && to === 'f32') out.push(sse('vcvtph2ps', `movsd xmm1, [rsi]\nvcvtph2ps xmm0, xmm1\nmovss ${at}, xmm0`));
  if (from === 'f32' && to === 'f16') out.push(sse('vcvtps2ph', `movss xmm1, [rsi]\nvcvtps2ph xmm0, xmm1, 4\nmovd eax, xmm0\nmov word ${at}, ax`));
  if (source !== undefined && to.startsWith('i')) out.push(sse(`cvts${source.sse}2si`, `cvts${source.sse}2si ${register(to)}, [rsi]\nmov ${at}, ${register(to)}`));
  if (target !== undefined && from.startsWith('i')) out.push(sse(`cvtsi2s${target.sse}`, `xorps xmm0, xmm0\ncvtsi2s${target.sse} xmm0, ${from === 'i64' ? 'qword' : 'dword'} [rsi]\n${target.move} ${at}, xmm0`));
  const memory = X87_MEMORY[from], result = X87_MEMORY[to];
  // FLD of a narrow number and FSTP of an extended one convert; both in one go would round twice
  if (memory !== undefined && result !== undefined && (from === 'x80' || to === 'x80' || /^i/.test(from) || /^i/.test(to))) {
    if (!(from.startsWith('i') && to !== 'x80')) out.push(x87(`f${from.startsWith('i') ? 'i' : ''}ld, f${to.startsWith('i') ? 'i' : ''}stp`, `f${from.startsWith('i') ? 'i' : ''}ld ${memory} [rsi]\nf${to.startsWith('i') ? 'i' : ''}stp ${result} ${at}`));
  }
  return out;
}

const FLAT = (attributes: number, selector: number): BootSegment => ({ selector, base: 0, limit: 0xffff_ffff, attributes });

export class Processor {
  readonly #memory = new MachineMemory({ ramBytes: RAM_BYTES });
  readonly #vcpu: Vcpu;
  readonly #view: DataView;

  constructor(options: { readonly translated?: boolean } = {}) {
    this.#vcpu = new Vcpu({
      memory: this.#memory, model: CPU_MODELS['host-like'], createMmu: (context) => new EptMmu(context), callouts: FPU_CALLOUTS,
      ports: { read: () => 0, write: () => undefined }, interrupts: { pending: () => false, acknowledge: () => -1, takeNmi: () => false },
      clock: { tscHz: 1e9, readTsc: () => 0n },
      ...(options.translated === true ? { createTranslator: (context) => new RegionTranslator(context) } : {}),
    });
    const bytes = this.#memory.guest.view(0, RAM_BYTES);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view.setUint32(TABLES, TABLES + 0x1000 | 7, true);
    this.#view.setUint32(TABLES + 0x1000, TABLES + 0x2000 | 7, true);
    for (let i = 0; i < RAM_BYTES >> 21; i++) this.#view.setUint32(TABLES + 0x2000 + 8 * i, i << 21 | LARGE, true);
  }

  /** A function that performs up to `CAPACITY` cases at once. */
  prepare(operation: Operation, variant: Variant): (cases: readonly (readonly bigint[])[]) => { result: bigint; flags: number }[] {
    const isX87 = variant.unit === 'x87', begin = isX87 ? 'fninit\nfldcw [rbx]' : 'ldmxcsr [rbx]', end = isX87 ? 'fnstsw word [rdi]' : 'stmxcsr [rdi]';
    const code = assemble(`bits 64\norg ${String(CODE)}\nloop:\n${begin}\n${variant.body}\n${end}\nadd rsi, ${String(ENTRY_BYTES)}\nadd rdi, ${String(FLAG_BYTES)}\ndec rcx\njnz loop\nhlt`).bytes;
    this.#memory.guest.writeBytes(CODE, code);
    const rounding = ROUNDING[operation.rounding] ?? 0;
    const control = isX87 ? FPU_CONTROL | PRECISION[operation.precision] << 8 | rounding << 10 : MXCSR | rounding << 13;
    return (cases) => {
      this.#load(cases);
      this.#view.setUint32(CONTROL, control, true);
      this.#boot(cases.length);
      for (let result = 'slice'; result !== 'halt';) {
        result = this.#vcpu.run(1_000_000);
        if (result === 'shutdown') throw new Error(`${variant.name} ended in shutdown at ${this.#vcpu.state.number('rip').toString(16)}`);
      }
      return cases.map((_, i) => ({ result: this.#result(typesOf(operation).to, OPERANDS + i * ENTRY_BYTES + RESULT), flags: this.#view.getUint16(FLAGS + i * FLAG_BYTES, true) & 0x3f }));
    };
  }

  #load(cases: readonly (readonly bigint[])[]): void {
    cases.forEach((operands, i) => {
      operands.forEach((value, n) => {
        const at = OPERANDS + i * ENTRY_BYTES + 16 * n;
        this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
        this.#view.setBigUint64(at + 8, value >> 64n, true);
      });
      this.#view.setBigUint64(OPERANDS + i * ENTRY_BYTES + RESULT, 0n, true);
    });
  }

  #boot(count: number): void {
    this.#vcpu.boot({
      mode: 'long', rip: CODE, rsp: CODE, rflags: 2, registers: { rsi: OPERANDS, rdi: FLAGS, rbx: CONTROL, rcx: count }, cr0: CR0, cr3: TABLES, cr4: CR4, efer: EFER,
      segments: { cs: FLAT(0xa09b, 8), ss: FLAT(0xc093, 16), ds: FLAT(0xc093, 16), es: FLAT(0xc093, 16) }, gdtr: { base: 0, limit: 0 }, idtr: { base: 0, limit: 0 },
    });
    this.#vcpu.state.setWords('xcr0', 7, 0);
  }

  #result(type: string, at: number): bigint {
    const low = this.#view.getBigUint64(at, true);
    if (type === 'x80') return low | BigInt(this.#view.getUint16(at + 8, true)) << 64n;
    return BigInt.asUintN(type === 'bool' ? 1 : type.endsWith('16') ? 16 : type.endsWith('32') ? 32 : 64, low);
  }
}
