import type { StateView } from '@vmm/state';
import { readFlags } from './flags.ts';

/** Architectural registers as data, for errors, debuggers and tests. Addresses and general registers are BigInt. */
export interface RegisterDump {
  readonly general: Readonly<Record<string, bigint>>;
  readonly rip: bigint;
  readonly rflags: number;
  readonly segments: Readonly<Record<string, { selector: number; base: bigint; limit: number; attributes: number }>>;
  readonly control: Readonly<Record<string, bigint>>;
  readonly cpl: number;
  readonly halted: boolean;
}

const GENERAL = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'];

export function dumpRegisters(state: StateView): RegisterDump {
  return {
    general: Object.fromEntries(GENERAL.map((name, i) => [name, state.big('gpr', i)])),
    rip: state.big('rip'),
    rflags: readFlags(state),
    segments: Object.fromEntries(SEGMENTS.map((name, i) => [name, {
      selector: state.get('selector', i), base: state.big('segmentBase', i), limit: state.getUnsigned('segmentLimit', i), attributes: state.getUnsigned('segmentAttributes', i),
    }])),
    control: { cr0: state.big('cr0'), cr2: state.big('cr2'), cr3: state.big('cr3'), cr4: state.big('cr4'), efer: state.big('efer') },
    cpl: state.get('cpl'),
    halted: state.get('halted') !== 0,
  };
}

const hex = (value: bigint, digits = 16): string => value.toString(16).padStart(digits, '0');

/** The same as lines of text, in the manner of kernel oops reports. */
export function formatRegisters(dump: RegisterDump): string[] {
  const names = Object.entries(dump.general);
  const lines: string[] = [`rip ${hex(dump.rip)}  rflags ${hex(BigInt(dump.rflags), 8)}  cpl ${dump.cpl}${dump.halted ? '  halted' : ''}`];
  for (let i = 0; i < names.length; i += 4) lines.push(names.slice(i, i + 4).map(([name, value]) => `${name.padEnd(3)} ${hex(value)}`).join('  '));
  lines.push(Object.entries(dump.segments).map(([name, s]) => `${name} ${s.selector.toString(16).padStart(4, '0')}:${hex(s.base, 8)}`).join('  '));
  lines.push(Object.entries(dump.control).map(([name, value]) => `${name} ${hex(value, 8)}`).join('  '));
  return lines;
}
