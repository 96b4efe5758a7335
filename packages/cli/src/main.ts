import { prepareMachine } from '@vmm/runtime';
import { describeError } from './report.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { MACHINE_NAME } from './machine-name.ts';
import { writeAll } from './output.ts';

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: 129 } as const;
const controller = new AbortController();
for (const [name, code] of Object.entries(SIGNALS)) {
  process.on(name, () => {
    if (controller.signal.aborted) process.exit(code); // asked twice: at once
    controller.abort(code);
  });
}

const args = process.argv.slice(2);
// the worker reads its program while this thread reads the rest of its own and the kernel
if (args[0] === 'run') prepareMachine(MACHINE_NAME);

let code: number;
try {
  const { runProgram } = await import('./program.ts');
  code = await runProgram(args, controller.signal);
} catch (error) {
  code = controller.signal.aborted ? controller.signal.reason as number : exitCodeOf(error);
  if (!controller.signal.aborted) writeAll(2, describeError(error));
}
process.exit(code);
