import { parseArgs } from 'node:util';
import { CASE } from './case-layout.ts';
import { GROUPS } from './groups.ts';
import { Harness } from './harness.ts';
import { whyNoOracle } from './native.ts';

const HELP = `Compares single instructions on the host CPU and on the virtual CPU.

  node src/main.ts [group ...] [--count 50] [--seed 1] [--only regex] [--show 10]

Groups: ${GROUPS.map((group) => group.name).join(' ')}
--count   cases per instruction    --only  instructions that match    --show  mismatches printed per group
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { count: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' }, only: { type: 'string' }, show: { type: 'string', default: '10' }, help: { type: 'boolean', default: false } },
});
const reason = whyNoOracle();
if (values.help) console.log(HELP);
else if (reason !== undefined) console.log(`Cannot compare: ${reason}.`);
else compare();

function compare(): void {
  const harness = new Harness();
  try {
    for (const group of GROUPS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
      const started = performance.now();
      const report = harness.run(group, { count: Number(values.count), seed: Number(values.seed), ...(values.only === undefined ? {} : { only: new RegExp(values.only) }) });
      const time = ((performance.now() - started) / 1000).toFixed(1);
      console.log(report.skipped === undefined ? `${group.name}: ${report.cases} cases, ${report.mismatches.length} mismatches, ${time} s` : `${group.name}: skipped, ${report.skipped}`);
      const perInstruction = new Map<string, number>();
      for (const { instruction } of report.mismatches) perInstruction.set(instruction, (perInstruction.get(instruction) ?? 0) + 1);
      if (perInstruction.size > 0) console.log('  ' + [...perInstruction].map(([text, n]) => `${text} (${n})`).join('; '));
      for (const { instruction, input, what } of report.mismatches.slice(0, Number(values.show))) {
        console.log(`  ${instruction}`);
        const operands = [1, 2].map((n) => Buffer.from(input.xmm(n)).reverse().toString('hex')).join(' ');
        const hex = (bytes: Uint8Array): string => Buffer.from(bytes).reverse().toString('hex');
        if (group.name.startsWith('x87')) console.log(`    st ${[0, 1, 2, 3].map((i) => hex(input.st(i).subarray(0, 10))).join(' ')} control ${input.fpuControl.toString(16)} status ${input.fpuStatus.toString(16)} tags ${input.fpuTags.toString(16)} memory ${hex(input.memory.subarray(0, 10))}`);
        else if (!/sse|mmx|avx/.test(group.name)) console.log(`    rax ${input.gpr(0).toString(16)} rcx ${input.gpr(1).toString(16)} rdx ${input.gpr(2).toString(16)} rbx ${input.gpr(3).toString(16)} flags ${input.flags.toString(16)} memory ${hex(input.memory.subarray(0, 16))}`);
        else console.log(`    xmm1, xmm2 ${operands} mxcsr ${input.mxcsr.toString(16)} memory ${Buffer.from(input.bytes.subarray(CASE.memory, CASE.memory + 16)).reverse().toString('hex')}`);
        for (const line of what) console.log(`    ${line}`);
      }
      if (report.mismatches.length > 0) process.exitCode = 1;
    }
  } finally {
    harness.close();
  }
}
