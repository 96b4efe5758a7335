/** Commands, faults and texts of the monitor. */
import { featureTable } from './features.ts';

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly purpose: string;
}

export const COMMANDS: readonly Command[] = [
  { name: 'help', usage: 'help', purpose: 'this list' },
  { name: 'info', usage: 'info', purpose: 'the machine again' },
  { name: 'cpuid', usage: 'cpuid [LEAF [SUBLEAF]]', purpose: 'CPUID, all leaves or one' },
  { name: 'mem', usage: 'mem ADDRESS [LENGTH]', purpose: 'bytes in memory' },
  { name: 'bench', usage: 'bench', purpose: 'a few loops: work, checksum, time' },
  { name: 'fault', usage: 'fault de|ud|gp|pf|df|triple', purpose: 'cause an exception' },
  { name: 'reboot', usage: 'reboot', purpose: 'reset the machine' },
  { name: 'off', usage: 'off', purpose: 'power off by ACPI' },
];

const FAULTS = ['de', 'ud', 'gp', 'pf', 'df', 'triple'] as const;

function helpText(): string {
  const lines = COMMANDS.map(({ usage, purpose }) => `${usage.padEnd(28)} ${purpose}\\n`);
  return `db \`${lines.join('')}\`\n  db \`Numbers are hexadecimal. Ctrl-U clears the line, Ctrl-C leaves it, Up brings the last one back.\\n\`, 0`;
}

export function textsSource(width: 32 | 64): string {
  const arrived = width === 64 ? 'long mode        64-bit, 4-level paging, 4 GiB one to one in 2-MiB pages' : 'the monitor runs in 32-bit protected mode';
  return `
align 4, 0
commands:
${COMMANDS.map(({ name }) => `  dd cmd_${name}\n  db "${name}", 0`).join('\n')}
  dd 0
fault_table:
${FAULTS.map((name) => `  dd fault_${name}\n  db "${name}", 0`).join('\n')}
  dd 0
memory_types: dd type_0, type_1, type_2, type_3, type_4
type_0: db "unusable", 0
type_1: db "RAM", 0
type_2: db "reserved", 0
type_3: db "ACPI tables", 0
type_4: db "ACPI storage", 0
feature_table:
${featureTable()}

text_arrived: db \`${arrived}\\n\\n\`, 0
text_prompt: db \`nano> \`, 0
text_cancel: db \`^C\\n\`, 0
text_rubout: db 8, 32, 8, 0
text_unknown: db "unknown command: ", 0
text_try_help: db \`; try help\\n\`, 0
text_help:
  ${helpText()}
text_registers: db " eax ", 0, " ebx ", 0, " ecx ", 0, " edx ", 0
text_mem_usage: db \`mem ADDRESS [LENGTH]\\n\`, 0
text_fault_usage: db \`fault ${FAULTS.join('|')}\\n\`, 0
text_cannot_power_off: db \`the machine did not power off\\n\`, 0
text_cpu: db "cpu      ", 0
text_family: db ", family ", 0, " model ", 0, " stepping ", 0
text_features: db "features ", 0
text_indent: db 10
text_indent_only: db "         ", 0
text_memory: db "memory   ", 0
text_no_map: db \`memory   the loader gave no map\\n\`, 0
text_pci: db "pci      00:", 0
text_pci_more: db "         00:", 0
text_class: db " class ", 0
text_acpi: db "acpi     rsdp ", 0, ", pm1a control port ", 0, ", pm timer port ", 0, ", S5 is ", 0
text_lapic: db "lapic    at ", 0, ", id ", 0, ", version ", 0
text_timers: db "timers   kHz by the PIT: tsc ", 0, ", pm timer ", 0
text_apic_rate: db ", lapic ", 0
text_no_pit: db \`timers   the PIT does not count\\n\`, 0
text_exception: db ": error ", 0, ", at ", 0, ", flags ", 0, ", cr2 ", 0
  db " ax ", 0, " cx ", 0, " dx ", 0, " bx ", 0, \`\\n bp \`, 0, " si ", 0, " di ", 0
text_checksum: db ": checksum ", 0, ", kilocycles ", 0
text_cycles: db 10, 0
`;
}
