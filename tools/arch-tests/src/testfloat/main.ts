import { parseArgs } from 'node:util';
import { operations } from './operations.ts';
import type { Operation } from './operations.ts';
import { Processor, variantsOf } from './processor.ts';
import { SoftFloat } from './soft-float.ts';
import { compareStream } from './stream.ts';
import type { Perform } from './stream.ts';

const HELP = `Compares @vmm/softfloat, or the virtual CPU's instructions, with the vectors of Berkeley TestFloat.

  node src/testfloat/main.ts --generator <testfloat_gen> [--only regex] [--level 1] [--show 5] [--cpu | --translated]

--generator  the program of the TestFloat package; it is not part of this one
--cpu        x87, SSE and AVX instructions on the interpreter; --translated: as translated code
--only       functions whose name matches, such as '^extF80_(add|sub)'
`;

const { values } = parseArgs({
  options: { generator: { type: 'string', default: '' }, only: { type: 'string', default: '' }, level: { type: 'string', default: '1' }, show: { type: 'string', default: '5' }, cpu: { type: 'boolean', default: false }, translated: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});

interface Subject { readonly name: string; readonly perform: Perform }

/** The package's function, or every instruction that does the operation. */
function subjects(): (operation: Operation) => Subject[] {
  if (!values.cpu && !values.translated) {
    const soft = new SoftFloat();
    return (operation) => {
      const perform = soft.prepare(operation);
      return perform === undefined ? [] : [{ name: '', perform: (cases) => cases.map(perform) }];
    };
  }
  const processor = new Processor({ translated: values.translated });
  return (operation) => variantsOf(operation).map((variant) => ({ name: variant.name, perform: (cases) => processor.prepare(operation, variant)(cases) }));
}

async function run(): Promise<void> {
  const offered = subjects(), missing = new Set<string>();
  let cases = 0, mismatches = 0;
  for (const operation of operations().filter(({ name }) => new RegExp(values.only).test(name))) {
    const all = offered(operation);
    if (all.length === 0) missing.add(operation.name);
    for (const { name, perform } of all) {
      const report = await compareStream(values.generator, operation, Number(values.level), perform, Number(values.show));
      cases += report.cases;
      mismatches += report.mismatches;
      const free = report.free > 0 ? `, ${String(report.free)} of 0 × ∞ + NaN` : '';
      console.log(`${operation.name.padEnd(20)} ${operation.rounding.padEnd(10)} ${String(operation.precision).padEnd(3)} ${name.padEnd(14)} ${String(report.cases).padStart(9)} cases ${String(report.mismatches).padStart(6)} differ${free}`);
      for (const line of report.examples) console.log(`    ${line}`);
    }
  }
  console.log(`${cases} cases, ${mismatches} differ; not offered: ${[...missing].join(' ')}`);
  if (mismatches > 0) process.exitCode = 1;
}

if (values.help || values.generator === '') console.log(HELP);
else await run();
