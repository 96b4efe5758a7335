/** Command line of this tool; `--help` says how. */
import { parseArgs } from 'node:util';
import { VmmError } from '@vmm/spec';
import { cacheFolder } from './cache-folder.ts';
import { GUESTS } from './catalogue.ts';
import { obtainGuest } from './obtain.ts';
import type { GuestProgress } from './progress.ts';

const HELP = `Usage: node src/cli.ts [--offline] [--cache FOLDER] [--json] [GUEST...]

Obtains guests (default: all): kernels out of Debian's packages, and initial RAM disks with a busybox shell.
Root is not needed and nothing is installed; files are kept in ${cacheFolder()}
(VMM_CACHE or --cache name another folder) and checked by sha256 each time.

  --offline       use the cache only
  --cache FOLDER  keep files there
  --json          print one JSON object a guest
  --help          print this

${GUESTS.map((guest) => `  ${guest.name.padEnd(18)} ${guest.description}`).join('\n')}

Exit code: 0, or 1 with a one-line error and a hint.`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { offline: { type: 'boolean' }, cache: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const stop = new AbortController();
  process.once('SIGINT', () => { stop.abort(); });
  for (const name of positionals.length > 0 ? positionals : GUESTS.map((guest) => guest.name)) {
    const guest = await obtainGuest(name, {
      signal: stop.signal,
      progress: progressLine(),
      offline: values.offline ?? false,
      ...(values.cache === undefined ? {} : { cache: values.cache }),
    });
    console.log(values.json ? JSON.stringify(guest) : `${guest.name}\n  kernel ${guest.kernel}\n  initrd ${guest.initrd}\n  append ${guest.append}`);
  }
}

/** On a terminal one line that changes; elsewhere one line a step. */
function progressLine(): (progress: GuestProgress) => void {
  let shown = '';
  return ({ message, fraction }) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${message}${fraction === undefined ? '' : ` ${Math.round(fraction * 100)} %`}${fraction === 1 ? '\n' : ''}`);
    else if (message !== shown) process.stderr.write(`${message}\n`);
    shown = message;
  };
}

process.stdout.on('error', () => process.exit(1)); // whoever read us has gone

main().catch((error: unknown) => {
  const hint = error instanceof VmmError && error.hint !== undefined ? `\n${error.hint}` : '';
  console.error(`guests: ${error instanceof Error ? error.message : String(error)}${hint}`);
  process.exitCode = 1;
});
