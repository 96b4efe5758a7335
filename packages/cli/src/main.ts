import { describeError } from './report.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { writeAll } from './output.ts';
import { runProgram } from './program.ts';

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: 129 } as const;
const controller = new AbortController();
for (const [name, code] of Object.entries(SIGNALS)) {
  process.on(name, () => {
    if (controller.signal.aborted) process.exit(code); // asked twice: at once
    controller.abort(code);
  });
}

let code: number;
try {
  code = await runProgram(process.argv.slice(2), controller.signal);
} catch (error) {
  code = controller.signal.aborted ? controller.signal.reason as number : exitCodeOf(error);
  if (!controller.signal.aborted) writeAll(2, describeError(error));
}
process.exit(code);
