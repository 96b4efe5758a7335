import { prepareMachine } from '@vmm/runtime/node/prepare';
import { MACHINE_NAME } from './machine-name.ts';

const args = process.argv.slice(2);
// the worker reads its program while this thread reads the rest of its own and the kernel
if (args[0] === 'run') prepareMachine(MACHINE_NAME);

// not awaited here: in a bundle the rest imports from this file
void import('./command-line.ts').then(async ({ runCommandLine }) => { process.exit(await runCommandLine(args)); });
