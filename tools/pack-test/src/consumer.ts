import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform, WorkspacePackage } from '@vmm/workspace';

export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** A project in a temporary directory, outside the workspace, that has installed tarballs of the published packages. */
export class Consumer {
  readonly directory = mkdtempSync(join(tmpdir(), 'vmm-pack-test-'));

  /** Packs as a release would, then installs from the tarballs alone: no @vmm package can come from anywhere else. */
  install(workspaceRoot: string, packages: readonly WorkspacePackage[], devDependencies: Readonly<Record<string, string>>): void {
    const tarballs = join(this.directory, 'tarballs');
    mkdirSync(tarballs);
    const filters = packages.map((pkg) => `--filter=${pkg.name}`);
    pnpm(workspaceRoot, ['-r', ...filters, 'pack', '--pack-destination', tarballs]);
    const files = readdirSync(tarballs);
    const sources = Object.fromEntries(packages.map((pkg) => [pkg.name, `file:${join(tarballs, tarballOf(pkg, files))}`]));
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module', dependencies: sources, devDependencies }));
    this.write('pnpm-workspace.yaml', `packages: []\noverrides: ${JSON.stringify(sources)}\n`);
    pnpm(this.directory, ['install', '--prefer-offline', '--ignore-scripts']);
  }

  /** Imports one entry point in a Node process of its own. */
  importInNode(specifier: string): Outcome {
    return this.#run('node', ['--input-type=module', '--eval', `const m = await import('${specifier}'); console.log(Object.keys(m).length);`]);
  }

  /** Runs an installed command, with `input` typed into it at once. */
  runCommand(name: string, args: readonly string[], input: string): Outcome {
    return this.#run(join(this.directory, 'node_modules', '.bin', name), args, input);
  }

  /** Type-checks imports of entry points as a project for that platform would; the outcome lists errors in our declarations only. */
  typecheck(platform: Platform, specifiers: readonly string[]): Outcome {
    const imports = specifiers.map((specifier, index) => `export * as m${index} from '${specifier}';`);
    this.write('all.ts', imports.join('\n'));
    const types = platform === 'node' ? ['node'] : [];
    const compilerOptions = { target: 'es2024', types, module: 'nodenext', strict: true, exactOptionalPropertyTypes: true, noEmit: true };
    this.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['all.ts'] }));
    const { output } = this.#run('tsc', ['-p', this.directory, '--pretty', 'false']);
    const ours = output.split('\n').filter((line) => /^(all\.ts|\S*@vmm[/+]\S*)\(.*error TS/.test(line));
    return { ok: ours.length === 0, output: ours.join('\n') };
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.directory, path), text);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #run(command: string, args: readonly string[], input = ''): Outcome {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: this.directory, encoding: 'utf8', timeout: 30_000, input });
    return { ok: status === 0, output: stdout + stderr };
  }
}

function tarballOf(pkg: WorkspacePackage, files: readonly string[]): string {
  const expected = `${pkg.name.replace('@', '').replace('/', '-')}-${pkg.manifest.version ?? ''}.tgz`;
  if (!files.includes(expected)) throw new Error(`pack ${pkg.name}: no ${expected} among ${files.join(', ')}`);
  return expected;
}

function pnpm(cwd: string, args: readonly string[]): void {
  try {
    execFileSync('npx', ['-y', 'pnpm@12', ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`run pnpm ${args[0] ?? ''} in ${cwd}:\n${stdout}${stderr}`, { cause: error });
  }
}
