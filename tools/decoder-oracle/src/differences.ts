import type { View } from './view.ts';

/** A place where the two decoders do not agree. */
export interface IcedDifference {
  readonly mode: 16 | 32 | 64;
  readonly bytes: Uint8Array;
  readonly own: View;
  readonly other: View;
  /** iced-x86's names of the CPUID features, if it decodes the bytes. */
  readonly features: readonly string[];
}

export interface DifferenceClass<T> {
  readonly id: string;
  readonly reason: string;
  readonly matches: (difference: T) => boolean;
}

/** Extensions beyond x86-64-v3 that @vmm/decoder leaves out: no guest CPU model offers them, so they are #UD. */
const UNSUPPORTED = /^(AVX512|AVX_|AVX10|XOP|D3NOW|AMX|FMA4|VAES|VPCLMULQDQ|GFNI|TBM|LWP|CYRIX|PADLOCK|KNC|KL|AESKLE|WIDE_KL|HRESET|UINTR|FRED|ENQCMD|SSE4A|TDX|SEAM|SEV_|SHA512|SM3|SM4|CMPCCXADD|RAO_INT|MSRLIST|WRMSRNS|LKGS|MCOMMIT|TSE|SNP|PBNDKB|UDBG|INVLPGB|PCOMMIT|USER_MSR|MPX|GEODE|CET_|RMPQUERY|D3NOWEXT|RDPRU|ZALLOC|PREFETCHITI)/;

const only = (names: readonly string[]) => (d: IcedDifference): boolean => d.own.valid && d.other.valid && names.includes(d.own.mnemonic);
const RENAMED_REGISTER = ['lldt', 'ltr', 'verr', 'verw', 'lmsw', 'arpl', 'pinsrw', 'vpinsrw', 'umwait', 'tpause'];

/** Every class of difference to iced-x86, in the order they are tried. */
export const ICED_DIFFERENCES: readonly DifferenceClass<IcedDifference>[] = [
  {
    id: 'unsupported-extension',
    reason: 'AVX-512 and other extensions beyond x86-64-v3 are not in the table',
    matches: (d) => !d.own.valid && d.other.valid && d.features.some((f) => UNSUPPORTED.test(f)),
  },
  {
    id: 'hint-nop-space',
    reason: 'PREFETCHIT0/1 and CLDEMOTE are hints in the reserved NOP space; without the feature they are NOPs, and so are they here',
    matches: (d) => d.own.mnemonic === 'nop' && /^(prefetchit[01]|cldemote)$/.test(d.other.mnemonic) && d.own.length === d.other.length,
  },
  {
    id: 'register-width-name',
    reason: 'the operand is 16 bits (pinsrw, umwait, tpause: 32); iced-x86 names the register as wide as the operand size',
    matches: (d) => only(RENAMED_REGISTER)(d) && d.own.length === d.other.length,
  },
  {
    id: 'getsec-size', reason: 'REX.W has no meaning for GETSEC', matches: (d) => d.own.mnemonic === 'getsec' && d.other.mnemonic === 'getsecq',
  },
  {
    id: 'pause-rex-b', reason: 'F3 90 with REX.B is XCHG r8, rAX on real processors (tried on an AMD EPYC) and in QEMU', matches: (d) => d.own.mnemonic === 'xchg' && d.other.mnemonic === 'pause',
  },
  { id: 'invlpg-size', reason: 'INVLPG touches no memory; iced-x86 gives its operand no size', matches: only(['invlpg']) },
  {
    id: 'xbegin-target', reason: 'iced-x86 does not wrap, or wraps, the fallback address where we do the opposite', matches: only(['xbegin']),
  },
  {
    id: 'vmmcall-prefix', reason: 'VMGEXIT is VMMCALL with a REP prefix, a new name only', matches: (d) => d.own.mnemonic === 'vmmcall' && d.other.mnemonic === 'vmgexit',
  },
  {
    id: 'ptwrite-66', reason: 'PTWRITE with 66 is #UD; the table has no way to say so for one row', matches: (d) => d.own.mnemonic === 'ptwrite' && !d.other.valid,
  },
];

export interface ObjdumpDifference {
  readonly mode: 16 | 32 | 64;
  readonly bytes: Uint8Array;
  /** Normalised texts; `(bad)` if invalid. */
  readonly own: string;
  readonly other: string;
  readonly ownLength: number;
}

const PREFIX_WORD = /^(data16|data32|addr16|addr32|rex(\.\w+)?|repz|repnz|rep|cs|ds|es|ss|fs|gs|bnd|notrack|xacquire|xrelease|lock) /;
const STRING = /^(movs|stos|lods|scas|cmps|ins|outs) /;

/** Splits leading prefix words from the instruction. */
export function splitPrefixes(text: string): { prefixes: string[]; rest: string } {
  const prefixes: string[] = [];
  let rest = text;
  for (let match = PREFIX_WORD.exec(rest); match !== null; match = PREFIX_WORD.exec(rest)) {
    prefixes.push(match[1] ?? '');
    rest = rest.slice(match[0].length);
  }
  return { prefixes, rest };
}

function differOnlyInPrefixes(d: ObjdumpDifference): boolean {
  const own = splitPrefixes(d.own);
  const other = splitPrefixes(d.other);
  if (own.rest !== other.rest || own.prefixes.includes('lock') !== other.prefixes.includes('lock')) return false;
  const repeats = (words: readonly string[]): boolean => words.some((w) => w.startsWith('rep'));
  return !STRING.test(own.rest) || repeats(own.prefixes) === repeats(other.prefixes);
}

const rest = (text: string): string => splitPrefixes(text).rest;
const EVEX_OR_MASK = /\b(zmm\d+|[xy]mm(1[6-9]|2\d|3[01])|k[0-7])\b|^(k\w+|v\w+)/;
const PSEUDO = /^v?(cmp\w{0,9}[ps][sd]|pclmul\w+|pcmp\w+)/;

function withoutRiz(text: string): string {
  return text.replace(/\+[re]iz\*\d/, '').replace(/\[[re]iz\*\d([+-])/, (_, sign: string) => (sign === '-' ? '[-' : '['));
}

const firstWord = (text: string): string => rest(text).split(' ', 1)[0] ?? '';

/** Same 16-bit branch, but the target was wrapped to 64 KiB by us only. */
function wrapsBranch(d: ObjdumpDifference): boolean {
  const own = /^(j\w+|call|loop\w*|xbegin) 0x([0-9a-f]+)$/.exec(rest(d.own));
  const other = /^(j\w+?|call|loop\w*|xbegin)[wd]? 0x([0-9a-f]+)$/.exec(rest(d.other));
  if (own === null || other === null || own[1] !== other[1]) return false;
  return (parseInt(own[2] ?? '', 16) & 0xffff) === (parseInt(other[2] ?? '', 16) & 0xffff);
}

const WIDTH_NAMED = /^v?p(insr|extr)|^v?(extractps|p?movmsk)|^(lar|lsl|ptwrite|umwait|tpause)/;

/** Every class of difference to objdump (binutils 2.40), in the order they are tried. */
export const OBJDUMP_DIFFERENCES: readonly DifferenceClass<ObjdumpDifference>[] = [
  {
    id: 'prefixes-spelled-out', reason: 'objdump prints prefixes that have no effect (data16, rex.W, repz, second segment overrides)', matches: differOnlyInPrefixes,
  },
  {
    id: 'lone-prefix', reason: 'objdump prints a REX that a later prefix cancels, or a prefix it cannot place, as an instruction of its own',
    matches: (d) => /^(rex(\.\w+)?|data16|addr32|addr16|data32|repz|repnz|lock|cs|ds|es|ss|fs|gs|fwait)( rex(\.\w+)?)*$/.test(d.other.trim().replace(/^((data16|addr32|addr16|data32|repz|repnz|lock|cs|ds|es|ss|fs|gs) )+/, '')) || /^fwait$/.test(rest(d.own)),
  },
  {
    id: 'unsupported-extension', reason: 'AVX-512 and other extensions beyond x86-64-v3 are not in the table',
    matches: (d) => d.own === '(bad)' && (EVEX_OR_MASK.test(d.other) || /^(tile|td|enqcmd|xop|pf|kl|pvalidate|rmp|psmash|xcrypt|xstore|xsha|montmul|femms|aesenc\d|loadiwkey|encodekey)/.test(rest(d.other))),
  },
  {
    id: 'amd-16-bit-branch', reason: 'near branches with 66 in 64-bit code: objdump follows AMD (16-bit displacement), we follow Intel (66 ignored)',
    matches: (d) => d.mode === 64 && d.bytes.includes(0x66) && /^(j\w+|callw?|retw?|loop\w*|xbeginw?)\b/.test(rest(d.other)) && /^(j\w+|call|ret|loop\w*|xbegin)\b/.test(rest(d.own)),
  },
  {
    id: 'riz', reason: 'objdump invents the register riz (eiz) for a SIB byte without index and with a scale',
    matches: (d) => /\b[re]iz\b/.test(d.other) && firstWord(d.own) === firstWord(d.other),
  },
  { id: 'far-keyword', reason: 'we mark far indirect calls and jumps with "far", as assemblers want it', matches: (d) => /^(call|jmp) far /.test(rest(d.own)) && rest(d.own).replace('far ', '') === rest(withoutRiz(d.other)) },
  { id: 'mpx', reason: 'MPX was withdrawn; its opcodes are NOPs, as the SDM says of processors without it', matches: (d) => /^nop/.test(rest(d.own)) && /^bnd(mov|mk|cl|cu|cn|ldx|stx)/.test(rest(d.other)) },
  { id: 'hint-nop-space', reason: 'hints in the reserved NOP space', matches: (d) => /^nop/.test(rest(d.own)) && /^(cldemote|prefetch|nop|rdssp)/.test(rest(d.other)) },
  { id: 'x87-alias', reason: 'undocumented aliases of FCOM, FCOMP, FSTP, FXCH: real processors execute them, objdump does not know them', matches: (d) => /^f(com|comp|stp|xch|freep) st/.test(rest(d.own)) && d.other.includes('(bad)') },
  { id: 'objdump-rejects', reason: 'objdump calls (bad) what processors execute: REP before instructions that ignore it, 0F 0D with a register', matches: (d) => d.own !== '(bad)' && d.other.includes('(bad)') },
  { id: 'branch-wrap', reason: 'a 16-bit branch wraps at 64 KiB; objdump prints the sum', matches: (d) => d.mode !== 64 && wrapsBranch(d) },
  { id: 'descriptor-size', reason: 'objdump marks SGDT, SIDT, LGDT, LIDT with the operand size', matches: (d) => /^[sl][gi]dt[dwlq]/.test(rest(d.other)) },
  { id: 'oword', reason: 'objdump calls 16 bytes of INVEPT, INVVPID, CMPXCHG16B oword and of INVPCID nothing', matches: (d) => /^(inv(ept|vpid|pcid)|cmpxchg16b)/.test(rest(d.own)) && firstWord(d.own) === firstWord(d.other) },
  { id: 'scalar-ymm', reason: 'objdump prints ymm registers for VMOVSS and VMOVSD with the ignored VEX.L', matches: (d) => /^vmovs[sd]/.test(rest(d.own)) && rest(d.own) === rest(d.other).replaceAll('ymm', 'xmm') },
  { id: 'lock-illegal', reason: 'LOCK before an instruction that does not take it is #UD', matches: (d) => d.own === '(bad)' && d.bytes.includes(0xf0) && d.other.includes('lock') },
  { id: 'two-segments', reason: 'DS before an indirect branch is NOTRACK even behind another segment prefix', matches: (d) => d.other.includes('notrack') || d.own.includes('notrack') },
  { id: 'pause-rex-b', reason: 'F3 90 with REX.B is XCHG r8, rAX on real processors', matches: (d) => /^xchg r8/.test(rest(d.own)) && /^pause/.test(rest(d.other)) },
  { id: 'movq2dq-register', reason: 'objdump prints an xmm register for the MMX source if 66 precedes', matches: (d) => /^movq2dq|^movdq2q/.test(rest(d.own)) && firstWord(d.own) === firstWord(d.other) },
  { id: 'environment-size', reason: 'objdump marks FNSTENV, FLDENV, FNSAVE, FRSTOR with the operand size', matches: (d) => /^f(n?stenv|ldenv|n?save|rstor)[wd]/.test(rest(d.other)) },
  { id: 'far-pointer-64', reason: 'LSS, LFS, LGS and far branches with REX.W take 10 bytes on Intel; objdump prints the 6 of AMD', matches: (d) => d.own.includes('tbyte') && rest(d.own).replace(/(far )?tbyte/, 'fword') === rest(withoutRiz(d.other)).replace('dword', 'fword') },
  { id: 'bad-segment', reason: 'segment registers 6 and 7 do not exist and CS cannot be loaded: #UD', matches: (d) => d.own === '(bad)' && /^mov (\?|cs|.*,\?)/.test(rest(d.other)) },
  { id: 'prefix-before-vex', reason: '66, F2, F3, LOCK and REX before VEX are #UD', matches: (d) => d.own === '(bad)' && /^(repz|repnz|data16|lock|rex)/.test(d.other) && rest(d.other).startsWith('v') },
  { id: 'fsbase-66', reason: 'WRFSBASE and its like are 32 or 64 bits wide; objdump lets 66 make them 16', matches: (d) => /^(rd|wr)[fg]sbase/.test(rest(d.own)) && firstWord(d.own) === firstWord(d.other) },
  { id: 'vmgexit', reason: 'VMMCALL with a REP prefix', matches: (d) => rest(d.other) === 'vmgexit' },
  { id: 'movsxd-16', reason: 'MOVSXD r16 reads 16 bits (SDM); objdump prints 32', matches: (d) => /^movsxd \w+,word/.test(rest(d.own)) || (/^movsxd/.test(rest(d.own)) && d.bytes.includes(0x66)) },
  { id: 'register-width-name', reason: 'REX.W widens the register of PINSRB and its like in our text, not in objdump\'s; of UMWAIT and TPAUSE it is the other way', matches: (d) => WIDTH_NAMED.test(rest(d.own)) && WIDTH_NAMED.test(rest(d.other)) },
  { id: 'implied-operands', reason: 'objdump spells the implied registers of MONITOR and MWAIT in AT&T syntax', matches: (d) => /^(monitor|mwait)x? %/.test(rest(d.other)) && rest(d.own) === firstWord(rest(d.other)) },
  { id: 'far-size', reason: 'objdump marks far branches through memory with the operand size in AT&T syntax', matches: (d) => /^l(call|jmp)[wlq] \*/.test(rest(d.other)) && rest(d.own) === rest(d.other).replace(/^(l\w+)[wlq] /, '$1 ') },
  { id: '8087-only', reason: 'objdump adds a remark', matches: (d) => /287 only|8087 only/.test(d.other) },
  { id: 'prefetchw', reason: '0F 0D /3 is an alias of PREFETCHW on Intel, of PREFETCH in objdump', matches: (d) => /^prefetchw/.test(rest(d.own)) && /^prefetch/.test(rest(d.other)) },
  { id: 'branch-hints', reason: 'objdump writes CS and DS before conditional branches as hints (,pn and ,pt)', matches: (d) => /^j\w+,p[tn] /.test(rest(d.other)) && firstWord(d.own) === firstWord(d.other).replace(/,p[tn]$/, '') },
  { id: 'pseudo-op', reason: 'objdump names predicates (cmpltps); we print the immediate', matches: (d) => PSEUDO.test(rest(d.own)) && PSEUDO.test(rest(d.other)) },
];

/** The first class that explains a difference. */
export function classify<T>(difference: T, classes: readonly DifferenceClass<T>[]): DifferenceClass<T> | undefined {
  return classes.find((c) => c.matches(difference));
}
