import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/vmm.js', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmm-cli-'));
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'text'), 'This is not a kernel. '.repeat(1000));
  writeFileSync(join(folder, 'bad.json'), '{ "memory": true }');
});
afterAll(() => { rmSync(folder, { recursive: true }); });

interface Outcome { readonly code: number | null; readonly stdout: string; readonly stderr: string }

function vmm(args: readonly string[], node = process.execPath): Promise<Outcome> {
  const child = spawn(node, [BIN, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => { stdout += data.toString(); });
  child.stderr.on('data', (data: Buffer) => { stderr += data.toString(); });
  return new Promise((resolve) => { child.on('close', (code) => { resolve({ code, stdout, stderr }); }); });
}

describe('vmm', () => {
  it.each([
    ['an unknown option', ['run', '--colour'], 2, "unknown option '--colour'"],
    ['an unknown command', ['fly'], 2, "unknown command 'fly'\n  vmm --help lists the commands"],
    ['an argument too many', ['explain', 'isPrime'], 2, 'vmm explain --help lists the options'],
    ['a missing value', ['run', '--kernel'], 2, 'argument missing'],
    ['an unknown guest', ['run', '--guest', 'beos'], 2, 'Cannot find guest "beos"'],
    ['a guest and a kernel', ['run', '--guest', 'nano', '--kernel', 'text'], 2, 'Cannot boot both a guest and a kernel'],
    ['an initrd alone', ['run', '--initrd', 'text'], 2, 'Cannot use an initrd without a kernel'],
    ['a CPU that is none', ['run', '--kernel', 'text', '--cpu', 'z80'], 2, 'cpu'],
    ['too little memory', ['run', '--kernel', 'text', '--memory', '1M'], 2, 'Cannot give the guest 1 MiB of memory'],
    ['too much memory', ['run', '--kernel', 'text', '--memory', '8G'], 2, 'Cannot give the guest 8 GiB of memory'],
    ['memory that is no size', ['run', '--kernel', 'text', '--memory', 'lots'], 2, 'Cannot read "lots" as a size'],
    ['an unreadable configuration', ['run', '--config', 'none.json'], 2, 'Cannot read configuration'],
    ['a wrong configuration', ['run', '--config', 'bad.json'], 2, 'Cannot use configuration bad.json: memory'],
    ['a missing kernel', ['run', '--kernel', 'nothing'], 3, 'Cannot read kernel nothing: ENOENT'],
    ['a kernel that is a folder', ['run', '--kernel', '.'], 3, 'EISDIR'],
    ['an empty kernel', ['run', '--kernel', 'empty'], 3, 'it is empty'],
    ['a kernel that is text', ['run', '--kernel', 'text'], 3, 'kernel'],
    ['a count that is none', ['lockstep', '--guest', 'nano', '--instructions', 'lots'], 2, 'Cannot use --instructions "lots"'],
    ['symbols without a profile', ['run', '--guest', 'nano', '--symbols', 'text'], 2, 'Cannot use symbols without a profile'],
    ['a profile that cannot be written', ['run', '--guest', 'nano', '--profile', 'no/such/folder/file'], 2, 'Cannot write profile no/such/folder/file: ENOENT'],
    ['a profile that is a folder', ['run', '--guest', 'nano', '--profile', '.'], 2, 'Cannot write profile .: EISDIR'],
    ['an ELF file that is none', ['explain', '--elf', 'text', '--address', '1000'], 3, 'it is no x86 ELF file'],
    ['an address that is none', ['explain', '--guest', 'nano', '--address', 'here'], 2, 'Cannot read address "here"'],
    ['a missing initrd', ['run', '--kernel', 'text', '--initrd', 'nothing'], 3, 'Cannot read initrd nothing'],
  ])('answers %s with one line, a hint and its exit code', async (_, args, code, message) => {
    const outcome = await vmm(args);
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) as string });
    expect(outcome.stderr).toMatch(/^vmm: [^\n]+\n {2}[^\n]+\n$/);
  }, 20_000);

  it('explains the classic example', async () => {
    expect(await vmm(['explain'])).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^16 instructions in 5 blocks: P 11, M 0, C 5, S 0\n[^]*idiv esi[^]*\(func[^]*loop/) as string });
  }, 20_000);

  it('lists its guests', async () => {
    expect((await vmm(['guests'])).stdout).toMatch(/linux-amd64[^]*nano/);
  });

  it.skipIf(!existsSync('/usr/bin/node'))('runs under the installed Node when an older one starts it', async () => {
    expect(await vmm(['guests'], '/usr/bin/node')).toMatchObject({ code: 0, stderr: '' });
  });
});
