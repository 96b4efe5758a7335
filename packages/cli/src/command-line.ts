import { describeError } from './report.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { writeAll } from './output.ts';
import { runProgram } from './program.ts';

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: 129 } as const;

/** The whole command, signals and errors included; answers the exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const controller = new AbortController();
  for (const [name, code] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(code); // asked twice: at once
      controller.abort(code);
    });
  }
  try {
    return await runProgram(args, controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return controller.signal.reason as number;
    writeAll(2, describeError(error));
    return exitCodeOf(error);
  }
}
