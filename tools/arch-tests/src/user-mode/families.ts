/** Which rows of the decoder's table can be compared by running them in user mode, and under which name they are counted. */
import { rows } from '@vmm/decoder';
import type { Row } from '@vmm/decoder';
import type { CodeMode } from './batch-layout.ts';

/**
 * Left out: system calls and (as a rule) software interrupts (they would reach the host's kernel), instructions that read what differs between machines
 * (time, random numbers, CPUID, descriptor tables).
 */
const LEFT_OUT = new Set(('syscall sysenter int int3 int1 into rdtsc rdtscp rdpmc rdrand rdseed rdpid cpuid xgetbv sgdt sidt sldt str smsw lar lsl verr verw '
  + 'rdfsbase rdgsbase wrfsbase wrgsbase monitorx mwaitx clzero rdpru vmcall vmmcall vmfunc enclu enclv getsec rsm wait serialize '
  + 'sysexit sysret xabort xbegin movdiri movdir64b ptwrite').split(' '));
/** Software interrupts, for campaigns in which they are delivered. Not INT1, after which virtualized hosts do not advance RIP. */
const INTERRUPTS = new Set('int int3 into'.split(' '));
/** Features that every x86-64-v3 host has, as far as integer instructions go. */
const FEATURES = new Set('base cmov popcnt lzcnt movbe bmi1 bmi2 adx cx8 cx16 3dnowprefetch clfsh msr'.split(' '));
const FLOATING_POINT = new Set('fpu mmx sse sse2'.split(' '));
const SINGLE_ROWS = new Set('rdssp incssp endbr32 endbr64 crc32 movnti lfence mfence sfence prefetchnta prefetcht0 prefetcht1 prefetcht2'.split(' '));

export function isComparable(row: Row, mode: CodeMode, isDelivered = false): boolean {
  if (isDelivered && INTERRUPTS.has(row.mnemonic)) return mode !== 64 || row.modes !== 'no64';
  if (LEFT_OUT.has(row.mnemonic) || (mode === 64 ? row.modes === 'no64' : row.modes === 'only64')) return false;
  return FEATURES.has(row.feature) || SINGLE_ROWS.has(row.mnemonic);
}
/** x87, MMX and SSE rows: other tools compare what they compute. */
export function isFloatingPoint(row: Row): boolean { return FLOATING_POINT.has(row.feature) && !LEFT_OUT.has(row.mnemonic); }
export function comparableRows(mode: CodeMode, isDelivered = false): readonly Row[] { return rows.filter((row) => isComparable(row, mode, isDelivered)); }

const FAMILIES: readonly (readonly [string, string])[] = [
  ['add/sub/compare', 'add adc sub sbb cmp inc dec neg xadd adcx adox'], ['logic', 'and or xor not test andn'],
  ['multiply/divide', 'mul imul div idiv mulx'], ['shift/rotate', 'shl shr sar rol ror rcl rcr shld shrd rorx shlx shrx sarx'],
  ['bit', 'bt bts btr btc bsf bsr tzcnt lzcnt popcnt crc32 blsr blsi blsmsk bextr bzhi pext pdep'],
  ['move', 'mov movzx movsx movsxd movbe bswap lea xchg xlat movnti'], ['exchange-compare', 'cmpxchg cmpxchg8b cmpxchg16b'],
  ['decimal', 'daa das aaa aas aam aad salc'], ['extend', 'cbw cwde cdqe cwd cdq cqo'], ['flags', 'clc stc cmc cld std lahf sahf pushf popf'],
  ['stack', 'push pop pusha popa enter leave'], ['string', 'movs stos lods cmps scas ins outs'], ['near transfer', 'jmp call ret loop loope loopne jcxz jecxz jrcxz'],
  ['segment load', 'lds les lss lfs lgs'], ['far transfer', 'jmpf callf retf iret'], ['undefined', 'ud0 ud1 ud2'], ['software interrupt', 'int int3 int1 into'],
];
const FAMILY_OF = new Map(FAMILIES.flatMap(([name, mnemonics]) => mnemonics.split(' ').map((mnemonic): [string, string] => [mnemonic, name])));

export function familyOf(row: Row): string {
  const known = FAMILY_OF.get(row.mnemonic);
  if (row.cpl0) return 'privileged';
  if (row.cond >= 0) return row.mnemonic.startsWith('j') ? 'near transfer' : 'conditional move/set';
  if (known === 'move' && row.operands.some((code) => code.startsWith('S')) || row.mnemonic === 'pop' && /^[DEFGS]S$/.test(row.operands[0] ?? '')) return 'segment load';
  return known ?? 'other';
}
