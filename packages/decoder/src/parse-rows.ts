import { FLAG_BITS, type Access, type FlagEffects, type ModrmRule, type Row } from './row.ts';

/**
 * The row text: one encoding a line, `encoding : mnemonic operands : flags : attributes`.
 *
 *     66 0f38 3a        : pminuw +Vx Wx   :              : sse4_1 vi3
 *     f7 /3             : neg +Ev         : oszapc       : lock
 *     0f ba /5          : bts +Ev Ib      : c ?osap      : lock
 *
 * encoding    [vex] [np|66|f3|f2|nr] [0f|0f38|0f3a] opcode[+r|+cc] [/digit] [=modrm] [mem|reg] [w0|w1] [l0|l1] [o16..o64] [a16..a64] [rexb0]
 * operands    in Intel order, each `code` (read), `=code` (written), `+code` (both), `~code` (address only); a dot before the code hides it
 * flags       letters: modified by result; `?` undefined; `0` cleared; `1` set; `<` read
 * attributes  see ATTRIBUTES below; anything else must be a CPUID feature
 */
const FEATURES = new Set(('base fpu mmx sse sse2 sse3 ssse3 sse4_1 sse4_2 avx avx2 fma f16c bmi1 bmi2 lzcnt popcnt movbe adx aes sha pclmulqdq '
  + 'cmov cx8 cx16 msr tsc sep syscall fxsr xsave xsaveopt xsavec xsaves clfsh clflushopt clwb wbnoinvd monitor monitorx rdtscp rdpid rdrand '
  + 'rdseed fsgsbase invpcid smap pku waitpkg serialize cet_ss cet_ibt vmx svm smx sgx rtm tsxldtrk pconfig ptwrite movdiri movdir64b clzero '
  + 'rdpru invlpgb 3dnowprefetch prefetchwt1').split(' '));

export const CONDITIONS = ['o', 'no', 'b', 'nb', 'z', 'nz', 'be', 'nbe', 's', 'ns', 'p', 'np', 'l', 'nl', 'le', 'nle'] as const;
const CONDITION_READS = ['o', 'c', 'z', 'cz', 's', 'p', 'so', 'zso'];
const PREFIXES: Readonly<Record<string, Row['prefix']>> = { np: 'none', '66': '66', f3: 'f3', f2: 'f2', nr: 'no-rep' };
const SIZES: Readonly<Record<string, number>> = { 16: 2, 32: 4, 64: 8 };
/** Attributes; `v…` derive a VEX row (see simd.ts) and `reservednop`, `prio` are notes. */
const ATTRIBUTES = new Set(['lock', 'rep', 'cpl0', 'protected', 'no64', 'only64', 'd64', 'f64', 'end', 'alias', 'prio', 'modreg', 'nocs', 'vsib', 'vsibx',
  'reservednop', 'v', 'v3', 'vi', 'vi3', 'viB', 'vl0', 'vlig', 'vi256']);

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface Encoding {
  encoding: Row['encoding']; map: Row['map']; opcode: number; opcodeRegister: boolean; conditional: boolean; prefix: Row['prefix'];
  modrm: Writable<ModrmRule>; w: Row['w']; l: Row['l']; opSizes: number[]; addrSizes: number[];
}

function parseEncoding(text: string): Encoding {
  const e: Encoding = {
    encoding: 'legacy', map: '', opcode: -1, opcodeRegister: false, conditional: false, prefix: 'any', w: -1, l: -1, opSizes: [], addrSizes: [],
    modrm: { present: false, reg: -1, exact: -1, mod: 'any', ignoresMod: false, rexB0: false, notCs: false },
  };
  for (const token of text.split(' ')) {
    const prefix = e.map === '' && e.opcode < 0 ? PREFIXES[token] : undefined;
    if (prefix !== undefined) e.prefix = prefix;
    else if (token === 'vex') e.encoding = 'vex';
    else if (e.map === '' && (token === '0f' || token === '0f38' || token === '0f3a')) e.map = token;
    else if (e.opcode < 0) parseOpcode(e, token);
    else parseModifier(e, token);
  }
  return e;
}

function parseOpcode(e: Encoding, token: string): void {
  const [digits = '', suffix] = token.split('+');
  if (!/^[0-9a-f]{2}$/.test(digits)) throw new Error(`bad opcode "${token}"`);
  e.opcode = parseInt(digits, 16);
  e.opcodeRegister = suffix === 'r';
  e.conditional = suffix === 'cc';
}

function parseModifier(e: Encoding, token: string): void {
  const value = token.slice(1);
  if (token.startsWith('/')) e.modrm.reg = Number(value);
  else if (token.startsWith('=')) e.modrm.exact = parseInt(value, 16);
  else if (token === 'mem' || token === 'reg') e.modrm.mod = token;
  else if (token === 'rexb0') e.modrm.rexB0 = true;
  else if (token === 'w0' || token === 'w1') e.w = value === '1' ? 1 : 0;
  else if (token === 'l0' || token === 'l1') e.l = value === '1' ? 1 : 0;
  else if (token.startsWith('o') && value in SIZES) e.opSizes.push(SIZES[value] ?? 0);
  else if (token.startsWith('a') && value in SIZES) e.addrSizes.push(SIZES[value] ?? 0);
  else throw new Error(`bad encoding token "${token}"`);
}

const ACCESS: Readonly<Record<string, Access>> = { '=': 'w', '+': 'rw', '~': 'a' };

interface Operands { operands: string[]; access: Access[]; hidden: boolean[] }

function parseOperands(tokens: readonly string[]): Operands {
  const out: Operands = { operands: [], access: [], hidden: [] };
  for (const token of tokens) {
    const access = ACCESS[token.charAt(0)];
    const code = access === undefined ? token : token.slice(1);
    out.hidden.push(code.startsWith('.'));
    out.operands.push(code.replace('.', ''));
    out.access.push(access ?? 'r');
  }
  return out;
}

const FLAG_SIGNS: Readonly<Record<string, keyof FlagEffects>> = { '?': 'undefined', '0': 'cleared', '1': 'set', '<': 'read' };

function parseFlags(text: string): FlagEffects {
  const flags: Writable<FlagEffects> = { read: 0, modified: 0, undefined: 0, set: 0, cleared: 0 };
  for (const token of text.split(' ')) {
    const sign = FLAG_SIGNS[token.charAt(0)];
    for (const letter of sign === undefined ? token : token.slice(1)) {
      const bit = FLAG_BITS[letter];
      if (bit === undefined) throw new Error(`unknown flag letter "${letter}"`);
      flags[sign ?? 'modified'] |= bit;
    }
  }
  return flags;
}

interface Attributes { words: Set<string>; feature: string; vmx: string; svm: string }

function parseAttributes(text: string, feature: string): Attributes {
  const a: Attributes = { words: new Set(), feature, vmx: '', svm: '' };
  for (const token of text.split(' ')) {
    const [word = '', reason] = token.split(':');
    if (reason !== undefined) {
      if (word !== 'svm') a.vmx = reason;
      if (word !== 'vmx') a.svm = reason;
    } else if (ATTRIBUTES.has(word)) a.words.add(word);
    else if (FEATURES.has(word)) a.feature = word;
    else if (word !== '') throw new Error(`unknown attribute "${word}"`);
  }
  return a;
}

/** Codes that need a ModRM byte. */
const MODRM_CODE = /^([EGRWUVQNPMCDS](?![TS])|STi|Ga|Ra)/;
const FIXED_CODE = /^(DX|DS|CS|SS|ES|GS|FS|CL|MB|BD)$/;

/** Parses row text into rows, in order, VEX forms of `v` rows after their originals. */
export function parseRows(text: string): Row[] {
  const rows: Row[] = [];
  let sectionFeature = 'base';
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    if (line === '') continue;
    if (line.startsWith('@')) {
      sectionFeature = line.slice(1).trim();
      continue;
    }
    try {
      parseLine(line, sectionFeature, rows);
    } catch (error) {
      throw new Error(`row "${line}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
  return rows;
}

const operandTexts = new Map<string, Operands>();
const attributeTexts = new Map<string, Attributes>();
const flagTexts = new Map<string, FlagEffects>();

function once<T>(known: Map<string, T>, key: string, parse: () => T): T {
  let value = known.get(key);
  if (value === undefined) known.set(key, value = parse());
  return value;
}

function parseLine(line: string, sectionFeature: string, rows: Row[]): void {
  const [encodingText = '', body = '', flagText = '', attributeText = ''] = line.split(' :').map((column) => column.trim());
  const e = parseEncoding(encodingText);
  const [name = '', ...codes] = body.split(' ');
  // Few distinct texts, many rows: each is parsed once and shared.
  const o = once(operandTexts, codes.join(' '), () => parseOperands(codes));
  const a = once(attributeTexts, `${sectionFeature}:${attributeText}`, () => parseAttributes(attributeText, sectionFeature));
  const flags = once(flagTexts, flagText, () => parseFlags(flagText));
  if (e.conditional) {
    for (let cond = 0; cond < 16; cond++) {
      const reads = parseFlags(`<${CONDITION_READS[cond >> 1] ?? ''}`).read;
      const mnemonic = name === 'jcc' ? `j${CONDITIONS[cond] ?? ''}` : `${name}${CONDITIONS[cond] ?? ''}`;
      rows.push(makeRow(rows.length, mnemonic, cond, { ...e, opcode: e.opcode + cond }, o, { ...flags, read: reads }, a, line));
    }
    return;
  }
  rows.push(makeRow(rows.length, name, -1, e, o, flags, a, line));
  if (a.words.has('v') || a.words.has('v3') || a.words.has('vi') || a.words.has('vi3') || a.words.has('viB')) {
    rows.push(vexRow(rows.length, name, e, o, flags, a, line));
  }
}

function vexRow(index: number, name: string, e: Encoding, o: Operands, flags: FlagEffects, a: Attributes, line: string): Row {
  const { operands, access, hidden } = { operands: [...o.operands], access: [...o.access], hidden: [...o.hidden] };
  if (a.words.has('viB')) {
    operands.unshift('Hx');
    access.splice(0, 1, 'w', 'r');
    hidden.unshift(false);
  } else if (a.words.has('v3') || a.words.has('vi3')) {
    // The first source is the old destination: same size, and the destination is only written.
    const first = operands[0] ?? '';
    operands.splice(1, 0, `H${first.slice(1) === 'q' ? 'dq' : first.slice(1)}`);
    access.splice(0, 1, 'w', 'r');
    hidden.splice(1, 0, false);
  }
  const derived: Encoding = { ...e, encoding: 'vex', l: a.words.has('vl0') ? 0 : -1, prefix: e.prefix === 'any' ? 'none' : e.prefix };
  const wide = a.words.has('vi') || a.words.has('vi3') || a.words.has('viB');
  return makeRow(index, `v${name}`, -1, derived, { operands, access, hidden }, flags, { ...a, feature: 'avx' }, line, wide ? 'avx2' : 'avx');
}

function makeRow(
  index: number, mnemonic: string, cond: number, e: Encoding, o: Operands, flags: FlagEffects, a: Attributes, text: string, wide?: string,
): Row {
  const has = (word: string): boolean => a.words.has(word);
  const needsModrm = o.operands.some((code) => MODRM_CODE.test(code) && !FIXED_CODE.test(code));
  const present = needsModrm || e.modrm.reg >= 0 || e.modrm.exact >= 0 || e.modrm.mod !== 'any';
  const { reg, exact, mod, rexB0 } = e.modrm;
  return {
    index, mnemonic, cond,
    encoding: e.encoding, map: e.map, opcode: e.opcode, opcodeRegister: e.opcodeRegister, prefix: e.prefix,
    modrm: { present, reg, exact, mod, ignoresMod: has('modreg'), rexB0, notCs: has('nocs') },
    w: e.w, l: e.l, opSizes: e.opSizes, addrSizes: e.addrSizes,
    operands: o.operands, access: o.access, hidden: o.hidden, flags,
    lockable: has('lock'), repeatable: has('rep'), cpl0: has('cpl0'), protectedOnly: has('protected'),
    modes: has('no64') ? 'no64' : has('only64') ? 'only64' : 'all',
    size64: has('f64') ? 'forced64' : has('d64') ? 'default64' : 'normal',
    feature: a.feature, feature256: wide ?? (has('vi256') ? 'avx2' : a.feature),
    intercepts: { vmx: a.vmx, svm: a.svm },
    endsBlock: has('end'), alias: has('alias'),
    vsib: has('vsibx') ? 'x' : has('vsib') ? 'l' : '',
    text,
  };
}
