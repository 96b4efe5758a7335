import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { judge } from './compare.ts';
import { readMoo } from './moo.ts';
import { RealModeCpu } from './real-mode.ts';

const HELP = `Runs cases captured from a real 80286 in real mode (SingleStepTests, files *.MOO.gz) on the virtual CPU.

  node src/single-step/main.ts --directory <dir> [--only regex] [--limit 100000] [--show 3]

--directory  holds the files; beside it may lie revocation_list.txt
--only       files whose name matches      --limit  cases per file      --show  differing cases printed per file
`;

const { values } = parseArgs({
  options: { directory: { type: 'string', default: '' }, only: { type: 'string', default: '' }, limit: { type: 'string', default: '100000' }, show: { type: 'string', default: '3' }, help: { type: 'boolean', default: false } },
});

function revocations(): ReadonlySet<string> {
  try {
    return new Set(readFileSync(join(values.directory, '..', 'revocation_list.txt'), 'utf8').split(/\s+/));
  } catch {
    return new Set();
  }
}

function run(): void {
  const cpu = new RealModeCpu(), revoked = revocations(), excluded = new Map<string, number>();
  let cases = 0, differing = 0;
  for (const file of readdirSync(values.directory).filter((name) => /\.moo(\.gz)?$/i.test(name) && new RegExp(values.only).test(name)).sort()) {
    const raw = readFileSync(join(values.directory, file));
    let count = 0, wrong = 0;
    for (const test of readMoo(file.endsWith('.gz') ? gunzipSync(raw) : raw)) {
      if (count >= Number(values.limit)) break;
      if (revoked.has(test.hash)) continue;
      count++;
      const verdict = judge(cpu, test);
      cpu.forget(test);
      if (verdict.excluded !== undefined) excluded.set(verdict.excluded, (excluded.get(verdict.excluded) ?? 0) + 1);
      if (verdict.differences.length === 0) continue;
      if (wrong++ < Number(values.show)) console.log(`  ${file} ${test.name} (${Buffer.from(test.code).toString('hex')}): ${verdict.differences.slice(0, 6).join('; ')}`);
    }
    cases += count;
    differing += wrong;
    if (wrong > 0) console.log(`${file}: ${wrong} of ${count} differ`);
  }
  console.log(`${cases} cases, ${differing} differ; excluded because later processors differ:`);
  for (const [reason, n] of excluded) console.log(`  ${String(n).padStart(8)}  ${reason}`);
  if (differing > 0) process.exitCode = 1;
}

if (values.help || values.directory === '') console.log(HELP);
else run();
