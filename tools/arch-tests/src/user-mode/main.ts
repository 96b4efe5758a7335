import { parseArgs } from 'node:util';
import { Campaign } from './campaign.ts';
import type { CampaignReport } from './campaign.ts';
import { whyNoUserOracle } from './native-user.ts';
import type { CodeMode } from './batch-layout.ts';

const HELP = `Compares integer instructions in random encodings with the host CPU, in user mode.

  node src/user-mode/main.ts [--mode 64,32,16] [--cases 100000] [--seed 1] [--only regex] [--blocks | --patching | --bytes] [--translated | --delivered] [--show 10]

--cases   per mode, spread over the decoder's rows       --only   rows whose mnemonic matches
--show    mismatches printed in full                     --blocks random blocks of 2 to 20 instructions with jumps
--translated  our side runs translated code
--delivered   exceptions are delivered through an IDT; single steps and software interrupts take part
--patching  blocks that change their own code
--bytes   random bytes: whether the decoder refuses what the host refuses
`;

const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: '64,32' }, cases: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' },
    only: { type: 'string' }, blocks: { type: 'boolean', default: false }, bytes: { type: 'boolean', default: false }, patching: { type: 'boolean', default: false }, translated: { type: 'boolean', default: false }, delivered: { type: 'boolean', default: false }, show: { type: 'string', default: '10' }, help: { type: 'boolean', default: false },
  },
});

function print(report: CampaignReport): void {
  console.log(`${'family'.padEnd(24)}${'cases'.padStart(10)}${'faults'.padStart(9)}${'skipped'.padStart(9)}${'differ'.padStart(8)}`);
  for (const [name, c] of [...report.families].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(name.padEnd(24) + String(c.cases).padStart(10) + String(c.faults).padStart(9) + String(c.skipped).padStart(9) + String(c.mismatches).padStart(8));
  }
  if (report.byMnemonic.size > 0) console.log([...report.byMnemonic].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${n}`).join(', '));
  const seen = new Map<string, number>();
  for (const m of report.mismatches) {
    const times = seen.get(m.mnemonic) ?? 0;
    seen.set(m.mnemonic, times + 1);
    if (times >= 3 || [...seen.values()].reduce((a, b) => a + Math.min(b, 3), 0) > Number(values.show)) continue;
    console.log(`\n${m.text}    ${m.bytes}`);
    for (const line of [...m.input, ...m.what]) console.log(`  ${line}`);
  }
}

if (values.help) console.log(HELP);
else {
  for (const mode of values.mode.split(',').map(Number) as CodeMode[]) {
    const reason = whyNoUserOracle(mode);
    if (reason !== undefined) { console.log(`${mode}-bit: cannot compare, ${reason}.`); continue; }
    const started = performance.now();
    const report = new Campaign({
      mode, cases: Number(values.cases), seed: Number(values.seed), blocks: values.blocks, bytes: values.bytes, patching: values.patching, translated: values.translated, delivered: values.delivered, ...(values.only === undefined ? {} : { only: new RegExp(values.only) }),
    }).run();
    const total = [...report.families.values()].reduce((sum, c) => sum + c.mismatches, 0);
    console.log(`\n${mode}-bit: ${report.cases} cases, ${total} differ, ${((performance.now() - started) / 1000).toFixed(1)} s`);
    if (values.translated) console.log(`regions translated: ${report.counters['regions'] ?? 0}`);
    print(report);
    if (total > 0) process.exitCode = 1;
  }
}
