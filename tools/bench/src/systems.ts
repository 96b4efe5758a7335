import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Boot } from './suites.ts';

/** Something that runs guests. */
export interface System {
  readonly name: string;
  /** With its version, for reports. */
  readonly description: string;
  command(boot: Boot): readonly string[];
  /** Default: everything. */
  canRun?(boot: Boot): boolean;
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const git = (...args: string[]): string => execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' }).trim();

export function commitOf(revision: string): string { return git('rev-parse', '--short', revision); }

function vmm(name: string, description: string, root: string, extra: readonly string[] = []): System {
  const program = join(root, 'packages/cli/bin/vmm.js');
  return {
    name, description,
    command: ({ kernel, initrd, commandLine, memoryMib }) => [
      process.execPath, program, 'run', '--kernel', kernel, ...(initrd === undefined ? [] : ['--initrd', initrd]),
      '--append', commandLine, '--memory', `${memoryMib}M`, '--no-progress', ...extra,
    ],
  };
}

/** Another commit of this repository, in a work tree of its own that borrows our installed packages. */
function baseTree(revision: string): System {
  const commit = commitOf(revision), root = join(mkdtempSync(join(tmpdir(), 'vmm-base-')), commit);
  git('worktree', 'add', '--detach', root, commit);
  process.on('exit', () => { git('worktree', 'remove', '--force', root); });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const parent of ['packages', 'tools']) {
    for (const name of readdirSync(join(root, parent))) borrow(join(parent, name), root);
  }
  return vmm('base', `commit ${commit}`, root);
}

/** Links between packages are relative: copied, they lead to the base's own packages. */
function borrow(folder: string, root: string): void {
  const from = join(ROOT, folder, 'node_modules');
  if (existsSync(from)) execFileSync('cp', ['-a', from, join(root, folder)]);
}

function qemu(): System | undefined {
  try {
    const version = execFileSync('qemu-system-x86_64', ['--version'], { encoding: 'utf8' }).split('\n', 1)[0] ?? '';
    return {
      name: 'tcg', description: `${version}, TCG`,
      command: ({ kernel, initrd, commandLine, memoryMib, is64 }) => [
        is64 ? 'qemu-system-x86_64' : 'qemu-system-i386', '-M', 'pc', '-m', String(memoryMib), '-accel', 'tcg', '-smp', '1', '-nodefaults', '-no-user-config',
        '-display', 'none', '-serial', 'stdio', '-no-reboot', '-kernel', kernel, ...(initrd === undefined ? [] : ['-initrd', initrd]), '-append', commandLine,
      ],
    };
  } catch {
    return undefined;
  }
}

/** `folder`: where the npm package is; `bios`: SeaBIOS and its VGA BIOS. v86 has no 64-bit mode. */
function v86(folder: string, bios: string): System | undefined {
  if (!existsSync(join(folder, 'build/v86.wasm')) || !existsSync(join(bios, 'bios.bin'))) return undefined;
  const runner = fileURLToPath(new URL('./run-v86.ts', import.meta.url));
  return { name: 'v86', description: `npm v86, Node ${process.versions.node}`, command: (boot) => [process.execPath, runner, resolve(folder), resolve(bios), JSON.stringify(boot)], canRun: ({ is64 }) => !is64 };
}

/** No VMM but the least that one in WebAssembly can take, see `run-ideal.ts`. */
function ideal(name: string, how: string, flags: readonly string[] = []): System {
  const runner = fileURLToPath(new URL('./run-ideal.ts', import.meta.url));
  return { name, description: `the rows' loops as plain WebAssembly, ${how}`, command: () => [process.execPath, ...flags, runner], canRun: ({ kind }) => kind === 'multiboot' };
}

export interface SystemOptions { readonly base?: string; readonly v86?: string; readonly bios?: string }

/** The systems by name that are installed here. */
export function findSystems(names: readonly string[], { base, v86: folder = 'node_modules/v86', bios = '/usr/share/seabios' }: SystemOptions): { found: System[]; missing: string[] } {
  const make = (name: string): System | undefined => {
    switch (name) {
      case 'vmm': return vmm('vmm', `commit ${commitOf('HEAD')}${git('status', '--porcelain', '--', 'packages') === '' ? '' : ' and changes'}`, ROOT);
      case 'interpreter': return vmm('interpreter', 'the same, interpreted', ROOT, ['--engine', 'interpreter']);
      case 'base': return base === undefined ? undefined : baseTree(base);
      case 'tcg': return qemu();
      case 'v86': return v86(folder, bios);
      case 'ideal': return ideal('ideal', 'a module a page');
      case 'ideal-opt': return ideal('ideal-opt', 'a module a page, optimized at once', ['--no-liftoff']);
      default: return undefined;
    }
  };
  const found: System[] = [], missing: string[] = [];
  for (const name of names) {
    const system = make(name);
    if (system === undefined) missing.push(name);
    else found.push(system);
  }
  return { found, missing };
}
