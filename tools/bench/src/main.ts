import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compare } from './compare.ts';
import { chart, table } from './report.ts';
import type { Results } from './results.ts';
import { SUITES } from './suites.ts';
import type { Suite } from './suites.ts';
import { findSystems } from './systems.ts';

const HELP = `node src/main.ts SUITE [options]     runs a suite: ${SUITES.map(({ name }) => name).join(', ')}
node src/main.ts render              makes docs/benchmarks.md and its charts from the stored results
  --systems LIST   vmm, base, interpreter, tcg, v86   (default vmm,tcg,v86; those not installed are left out);
                   ideal, ideal-opt: what V8 takes for the loops of cliffs without any VMM, as it is and optimizing at once
  --base COMMIT    what "base" is
  --rounds N       default 3
  --v86 FOLDER     of the npm package (default node_modules/v86)
  --bios FOLDER    of bios.bin and vgabios-stdvga.bin for v86 (default /usr/share/seabios)
  --store          keep the result in tools/bench/results
`;

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url)), DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    systems: { type: 'string', default: 'vmm,tcg,v86' }, base: { type: 'string' }, rounds: { type: 'string', default: '3' },
    v86: { type: 'string' }, bios: { type: 'string' }, store: { type: 'boolean' }, help: { type: 'boolean' },
  },
});
const [what = ''] = positionals;
const suite = SUITES.find(({ name }) => name === what);
if (what === 'render') render();
else if (suite === undefined || values.help === true) process.stdout.write(HELP);
else await run(suite);

async function run(chosen: Suite): Promise<void> {
  const names = values.base === undefined || values.systems.includes('base') ? values.systems : `${values.systems},base`;
  const { found, missing } = findSystems(names.split(','), { ...(values.base === undefined ? {} : { base: values.base }), ...(values.v86 === undefined ? {} : { v86: values.v86 }), ...(values.bios === undefined ? {} : { bios: values.bios }) });
  if (missing.length > 0) console.error(`not installed: ${missing.join(', ')}`);
  const results = await compare(chosen, found, Number(values.rounds), (line) => { console.error(line); });
  console.log(`${table(results, chosen)}\n${results.problems.map((problem) => `\n! ${problem}`).join('')}`);
  if (values.store !== true) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${chosen.name}.json`), `${JSON.stringify(results, undefined, 1)}\n`);
  render();
}

function render(): void {
  mkdirSync(DOCS, { recursive: true });
  const sections = readdirSync(RESULTS).filter((name) => name.endsWith('.json')).sort().map((name) => {
    const results = JSON.parse(readFileSync(join(RESULTS, name), 'utf8')) as Results, shown = SUITES.find((one) => one.name === results.suite);
    if (shown === undefined) throw new Error(`${name}: no suite ${results.suite}`);
    writeFileSync(join(DOCS, `benchmarks-${shown.name}.svg`), chart(results, shown));
    const systems = Object.entries(results.systems).map(([system, description]) => `${system} is ${description}`).join('; ');
    return `## ${shown.title}\n\n${results.date}, ${results.host.cpu}, ${results.host.cores} cores, Node ${results.host.node}${(results.host.load ?? 0) > results.host.cores ? `, loaded by others (${results.host.load ?? 0}): trust ratios more than times` : ''}; medians of ${results.rounds} rounds. ${systems}.\n\n${table(results, shown)}\n${results.problems.map((problem) => `\nProblem: ${problem}\n`).join('')}\n![${shown.title}](benchmarks-${shown.name}.svg)\n`;
  });
  writeFileSync(join(DOCS, 'benchmarks.md'), `# Benchmarks\n\nMade by [tools/bench](../tools/bench) from its stored results (\`node tools/bench/src/main.ts render\`). Times are the host's clock between markers that the guest prints.\n\n${sections.join('\n')}`);
}
