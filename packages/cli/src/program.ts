import { resolve } from 'node:path';
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { VmmError } from '@vmm/spec';
import { CPU_MODEL_NAMES, ENGINES } from '@vmm/runtime';
import { GUESTS } from '@vmm/guests';
import type { Config } from './config-schema.ts';
import { defined, loadConfig, parseOptions } from './config-file.ts';
import { KEYS_HELP } from './escape-keys.ts';
import { EXIT, EXIT_CODE_HELP } from './exit-code.ts';
import { DEFAULT_GUEST } from './image.ts';
import { NANO } from './nano.ts';
import { writeAll } from './output.ts';
import { RunCommand } from './run-command.ts';
import type { RunFlags } from './run-command.ts';

interface RunOptions {
  readonly guest?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly entry?: string;
  readonly cmdline?: string;
  readonly memory?: string;
  readonly cpu?: string;
  readonly engine?: string;
  readonly clock?: string;
  readonly placement?: string;
  readonly translationCache?: string;
  readonly reboot: boolean;
  readonly tripleFault?: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly stats?: boolean;
  readonly profile?: string;
  readonly symbols?: string;
  readonly progress?: boolean;
  readonly offline?: boolean;
}

const KEYS_TEXT = `Keys (when stdin is a terminal):\n${KEYS_HELP.map((line) => `  ${line}`).join('\n')}`;

/** Runs the command line; answers the exit code. Aborting the signal stops everything; its reason is the exit code then. */
export async function runProgram(args: readonly string[], signal: AbortSignal): Promise<number> {
  let code: number = EXIT.ok;
  const program = new Command('vmm')
    .description('A complete x86 virtual machine monitor')
    .version((JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version)
    .exitOverride()
    .configureOutput({ writeErr: (text) => { writeAll(2, text.replace(/^error: /, 'vmm: ').replace('\n(', ' (')); } })
    .showSuggestionAfterError(true);
  addRun(program).action(async (options: RunOptions) => { code = await run(options, signal); });
  addLockstep(program).action(async (options: LockstepOptions) => { code = await lockstep(options, signal); });
  addExplain(program).action(async (options: ExplainOptions) => { code = await explain(options, signal); });
  program.command('guests').description('list the guests that vmm can boot by name').action(() => { writeAll(1, listGuests()); });
  program.command('schema').description('print the JSON Schema of vmm.config.json').action(printSchema);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const command = program.commands.find((known) => known.name() === args[0]);
    if (error.exitCode !== 0) writeAll(2, command === undefined ? '  vmm --help lists the commands.\n' : `  vmm ${command.name()} --help lists the options.\n`);
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return code;
}

function addImage(command: Command): Command {
  return command
    .option('-g, --guest <name>', `${[NANO, ...GUESTS.map((guest) => guest.name)].join(', ')} (default ${DEFAULT_GUEST})`)
    .option('-k, --kernel <file>', 'your own kernel: bzImage, ELF with a PVH note, or multiboot 1')
    .option('-i, --initrd <file>', 'initial RAM disk')
    .option('-a, --append <text>', 'kernel command line')
    .addOption(new Option('--cmdline <text>', 'the same as --append').hideHelp())
    .option('--entry <bits>', 'entry of a bzImage: 16, 32 or 64 (default: the kernel\'s own width)')
    .option('-m, --memory <size>', 'guest memory, 4M to 3G (default 256M)')
    .option('--cpu <model>', `CPU model: ${CPU_MODEL_NAMES.join(', ')}; features behind it: x86-64-v3,-avx2,+pku`)
    .option('--offline', 'take guests from the cache only');
}

function addLockstep(program: Command): Command {
  return addImage(program.command('lockstep').alias('diff').description('run a guest on the interpreter and the translator at once; the first instruction that differs is printed'))
    .option('-n, --instructions <count>', 'stop after so many (1e9 is understood)', '1e8')
    .option('--every <count>', 'instructions between two comparisons of all registers at most', '5000')
    .option('--memory-every <count>', 'instructions between two comparisons of memory', '5e6')
    .option('--input <text>', 'typed into the serial line; \\n ends a line')
    .option('--output', 'show the guest\'s output')
    .option('--json', 'the result as a JSON line');
}

function addExplain(program: Command): Command {
  return addImage(program.command('explain').description('show what the translator makes of a function: x86 blocks, then WebAssembly. Without a choice: isPrime, the classic example'))
    .option('--source <file>', 'assembly of your own')
    .option('--bits <width>', 'of the assembly: 32 or 64', '64')
    .option('--elf <file>', 'a program or vmlinux')
    .option('--function <name>', 'of the ELF file')
    .option('--address <hex>', 'in the ELF file, or in the guest (default: where it is then)')
    .option('--after <count>', 'instructions that the guest runs before', '1e8')
    .option('--length <bytes>', 'how much to look at', '4096');
}

function addRun(program: Command): Command {
  return addImage(program.command('run').description('boot a guest; its first serial port is this terminal'))
    .option('--engine <name>', `how the guest is run: ${ENGINES.join(', ')}`)
    .option('--clock <kind>', 'host, scale=<factor>, or instructions=<per second> for runs that repeat')
    .option('--placement <where>', 'auto, or serial=vcpu|worker,debugConsole=vcpu|worker,translator=vcpu|worker')
    .option('--translation-cache <file>', 'keep there which code became hot: the next run translates it at once')
    .option('--no-reboot', 'a reset by the guest ends the machine')
    .option('--triple-fault <what>', 'stop (default) or reset')
    .option('-c, --config <file>', 'configuration file (default: vmm.config.ts, .js or .json here, if there is one)')
    .option('--json', 'events as JSON lines on stdout, the guest\'s output among them')
    .option('--stats', 'print speed and the counters of translator, code cache, MMU and exits at the end')
    .option('--profile <file>', 'write where the guest was, by function, as samples tell')
    .option('--symbols <file>', 'names for --profile: System.map, the text of /proc/kallsyms, or an ELF file')
    .option('--progress', 'show progress even when stderr is no terminal')
    .option('--no-progress', 'show no progress')
    .addHelpText('after', `\n${KEYS_TEXT}\n\n${EXIT_CODE_HELP}`);
}

interface LockstepOptions extends Pick<RunOptions, 'guest' | 'kernel' | 'initrd' | 'append' | 'memory' | 'cpu' | 'json' | 'offline'> {
  readonly instructions: string;
  readonly every: string;
  readonly memoryEvery: string;
  readonly input?: string;
  readonly output?: boolean;
}

async function lockstep(options: LockstepOptions, signal: AbortSignal): Promise<number> {
  const { guest, kernel, initrd, append, memory, cpu } = options;
  const config = await parseOptions(defined({ guest, kernel, initrd, append, memory, cpu }));
  const { lockstepCommand } = await import('./lockstep-command.ts');
  return lockstepCommand(config, {
    instructions: count('instructions', options.instructions), every: count('every', options.every), memoryEvery: count('memory-every', options.memoryEvery),
    input: options.input?.replaceAll('\\n', '\n'), json: options.json ?? false, offline: options.offline ?? false, showsOutput: options.output ?? false,
  }, signal);
}

interface ExplainOptions extends Pick<RunOptions, 'guest' | 'kernel' | 'initrd' | 'append' | 'memory' | 'cpu' | 'offline'> {
  readonly source?: string;
  readonly bits: string;
  readonly elf?: string;
  readonly function?: string;
  readonly address?: string;
  readonly after: string;
  readonly length: string;
}

async function explain(options: ExplainOptions, signal: AbortSignal): Promise<number> {
  const { guest, kernel, initrd, append, memory, cpu, source, elf, address, bits } = options;
  const config = await parseOptions(defined({ guest, kernel, initrd, append, memory, cpu }));
  const { explainCommand } = await import('./explain-command.ts');
  return explainCommand(config, { source, elf, address, bits, function: options.function, after: count('after', options.after), length: count('length', options.length), offline: options.offline ?? false }, signal);
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (value >= 1) return Math.floor(value);
  throw new VmmError('OPTION_INVALID', `Cannot use --${name} "${text}"`, { hint: 'Give a number of instructions, such as 5000 or 1e9.' });
}

async function run(options: RunOptions, signal: AbortSignal): Promise<number> {
  const file = await loadConfig(options.config, process.cwd());
  const config = mergeConfig(file, await parseOptions(configOf(options)));
  const flags = { json: options.json ?? false, stats: options.stats ?? false, progress: options.progress, offline: options.offline ?? false, profile: profileOf(options) };
  return new RunCommand(config, flags, signal).run();
}

function profileOf({ profile, symbols }: RunOptions): RunFlags['profile'] {
  if (profile !== undefined) return { file: profile, symbols };
  if (symbols === undefined) return undefined;
  throw new VmmError('OPTION_INVALID', 'Cannot use symbols without a profile', { hint: 'Give --profile FILE too.' });
}

/** The command line wins. A kernel or a guest on it replaces the file's choice, its RAM disk and command line included. */
export function mergeConfig(file: Config, commandLine: Config): Config {
  const choosesImage = commandLine.kernel !== undefined || commandLine.guest !== undefined;
  const { guest: _guest, kernel: _kernel, initrd: _initrd, append: _append, ...rest } = file;
  return { ...(choosesImage ? rest : file), ...commandLine };
}

function configOf(options: RunOptions): Config {
  const { guest, kernel, initrd, memory, cpu, engine, tripleFault } = options;
  if (guest !== undefined && kernel !== undefined) {
    throw new VmmError('OPTION_INVALID', 'Cannot boot both a guest and a kernel', { hint: 'Give --guest or --kernel.' });
  }
  return defined({
    guest, kernel, initrd, memory, cpu, engine, onTripleFault: tripleFault,
    append: options.append ?? options.cmdline,
    entry: options.entry === undefined ? undefined : Number(options.entry),
    clock: parseClock(options.clock),
    placement: parsePlacement(options.placement),
    translationCache: options.translationCache === undefined ? undefined : resolve(options.translationCache),
    reboot: options.reboot ? undefined : false,
  }) as Config;
}

function parseClock(text: string | undefined): unknown {
  const [kind, value] = text?.split('=') ?? [];
  if (kind === 'scale') return { scale: Number(value) };
  if (kind === 'instructions') return { instructionsPerSecond: Number(value) };
  return kind;
}

function parsePlacement(text: string | undefined): unknown {
  if (text === undefined || text === 'auto') return text;
  return Object.fromEntries(text.split(',').map((entry) => entry.split('=')));
}

async function printSchema(): Promise<void> {
  const { configJsonSchema } = await import('./config-schema.ts');
  writeAll(1, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
}

function listGuests(): string {
  const rows = [...GUESTS.map((guest) => [guest.name, guest.description] as const), [NANO, 'our own small guest, embedded'] as const];
  return rows.map(([name, description]) => `${name.padEnd(20)}${description}\n`).join('');
}
