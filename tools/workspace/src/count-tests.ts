import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findWorkspaceRoot, listPackages } from './packages.ts';

const help = `Usage: node tools/workspace/src/count-tests.ts [--clear] [--file results/tests.json]

Adds up the vitest JSON reports that packages have left in <package>/<file>, prints the failed tests on stderr and
"<passed> <failed>" on stdout. With --clear: removes the reports instead.`;

/** The part of vitest's JSON report (Jest's format) that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly TestFile[];
}

interface TestFile {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string; readonly failureMessages?: readonly string[] }[];
}

const { values } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' }, clear: { type: 'boolean' }, file: { type: 'string', default: 'results/tests.json' } },
});
const root = findWorkspaceRoot(dirname(fileURLToPath(import.meta.url)));
const reports = listPackages(root).map((pkg) => join(pkg.directory, values.file)).filter((path) => existsSync(path));

if (values.help === true) console.log(help);
else if (values.clear === true) for (const path of reports) rmSync(path);
else console.log(total(reports.map((path) => JSON.parse(readFileSync(path, 'utf8')) as Report)));

function total(all: readonly Report[]): string {
  let [passed, failed] = [0, 0];
  for (const report of all) {
    passed += report.numPassedTests;
    failed += report.numFailedTests;
    for (const file of report.testResults) failed += tellFailures(file);
  }
  return `${passed} ${failed}`;
}

/** Says what failed; returns one for a file that broke before it had any test. */
function tellFailures(file: TestFile): number {
  const name = file.name.slice(root.length + 1);
  const failures = file.assertionResults.filter((result) => result.status === 'failed');
  for (const { fullName, failureMessages } of failures) console.error(`FAILED ${name}: ${fullName}\n  ${firstLine(failureMessages?.[0])}`);
  const broke = file.status === 'failed' && failures.length === 0;
  if (broke) console.error(`FAILED ${name}: ${firstLine(file.message)}`);
  return broke ? 1 : 0;
}

function firstLine(text = ''): string {
  return text.split('\n', 1)[0] ?? '';
}
