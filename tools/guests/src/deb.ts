import { spawn } from 'node:child_process';
import { VmmError } from '@vmm/spec';

/** Takes one file out of a .deb: `dpkg-deb --fsys-tarfile` unpacks whatever compression it has, tar picks the member. */
export async function extractMember(debPath: string, memberPattern: string, signal?: AbortSignal): Promise<Uint8Array> {
  const abort = signal === undefined ? {} : { signal };
  const unpacker = spawn('dpkg-deb', ['--fsys-tarfile', debPath], { stdio: ['ignore', 'pipe', 'pipe'], ...abort });
  const picker = spawn('tar', ['-xO', '--wildcards', memberPattern], { stdio: ['pipe', 'pipe', 'pipe'], ...abort });
  const output: Buffer[] = [];
  let complaints = '';
  picker.stdin.on('error', () => undefined); // tar may stop reading first
  unpacker.stdout.pipe(picker.stdin);
  picker.stdout.on('data', (chunk: Buffer) => { output.push(chunk); });
  for (const child of [unpacker, picker]) child.stderr.on('data', (chunk: Buffer) => { complaints += chunk.toString(); });
  const codes = await Promise.all([unpacker, picker].map((child) => new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  })));
  const bytes = Buffer.concat(output);
  if (codes.every((code) => code === 0) && bytes.length > 0) return bytes;
  throw new VmmError('GUEST_PACKAGE_UNEXPECTED', `Cannot take ${memberPattern} out of ${debPath}: ${complaints.trim().split('\n').at(-1) ?? 'no such file'}`);
}
