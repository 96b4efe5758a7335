import { POLICIES, SENSITIVE } from '@vmm/translator';
import type { Rules, SensitiveRow } from '@vmm/translator';

const GROUPS: Readonly<Record<SensitiveRow['group'], string>> = {
  A: 'Sensitive registers, unprivileged (Robin and Irvine, group A)', B: 'Protection system, unprivileged (Robin and Irvine, group B, and what they would add)',
  privileged: 'Privileged', later: 'Younger, unprivileged or absent',
};

const shown = ({ ring0, ring3 }: Rules): string => (ring0 === ring3 ? ring0 : `${ring0}; ring 3 ${ring3}`);

/** The table of `@vmm/translator` for people. */
export function sensitivePage(): string {
  const groups = (Object.keys(GROUPS) as SensitiveRow['group'][]).map((group) => {
    const rows = SENSITIVE.filter((row) => row.group === group);
    return [
      `## ${GROUPS[group]}`, '', `| instruction | ${POLICIES.join(' | ')} | what it shows or changes |`, `|---|${'---|'.repeat(POLICIES.length)}---|`,
      ...rows.map((row) => `| ${row.name} | ${POLICIES.map((policy) => shown(row.rules[policy])).join(' | ')} | ${row.why} |`), '',
    ].join('\n');
  });
  const count = (group: SensitiveRow['group']): number => SENSITIVE.filter((row) => row.group === group).length;
  return `# Sensitive instructions

What each engine makes of every instruction that shows or changes more than user registers and memory. Made from
[packages/translator/src/sensitive.ts](../packages/translator/src/sensitive.ts); a test runs every row in both widths, rings and engines and tells by
counters and faults which way was taken.

- \`inline\`: part of translated code. \`in-cache\`: WebAssembly of the interpreter, no TypeScript. \`callout\`: TypeScript on the vCPU's state block, then on.
  \`exit\`: leaves the run loop. \`#GP\`, \`#UD\`: the instruction faults (ring 3 with IOPL 0 and no port map).
- Engines: \`interpreter\`, and \`bare\`, the translator on the virtual CPU. Nothing is deprivileged in either: the guest's CPL is data, so what an instruction
  shows is the guest's own, and the 2000 paper's problem does not arise; the engines that put a VMM between will add their columns here.
- ${SENSITIVE.length} rows: ${count('A')} in group A and ${count('B')} in group B (the paper's 17 or 18 instructions, and five that it leaves out), ${count('privileged')} privileged, ${count('later')} younger.
- Classes of instructions: P pure (registers and flags), M memory (TLB probe and slow path), C control flow, S sensitive (this page). \`vmm explain\` shows and
  counts them.

${groups.join('\n')}`;
}
