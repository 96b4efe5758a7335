import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** One instruction as objdump sees it. */
export interface ObjdumpLine {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** Normalised: lower case, single spaces, no comments and symbols, branch targets with 0x. */
  readonly text: string;
}

/** `  401000:\tf3 0f 1e fa          \tendbr64` */
const LINE = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*(?:\t(.*))?$/;

/** Runs objdump and yields its instructions. A missing objdump rejects. */
export async function* objdumpLines(args: readonly string[], syntax: 'intel' | 'att' = 'intel'): AsyncGenerator<ObjdumpLine> {
  const child = spawn('objdump', ['-w', '-z', '-M', syntax, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => undefined);
  const lines = createInterface({ input: child.stdout, crlfDelay: Infinity });
  try {
    for await (const line of lines) {
      const parts = LINE.exec(line);
      if (parts?.[3] === undefined) continue;
      const bytes = Uint8Array.from((parts[2] ?? '').split(' '), (byte) => parseInt(byte, 16));
      yield { address: BigInt(`0x${parts[1] ?? ''}`), bytes, text: normalizeObjdump(parts[3]) };
    }
    await Promise.race([failed, new Promise((resolve) => (child.exitCode === null ? child.once('close', resolve) : resolve(undefined)))]);
  } finally {
    child.kill();
  }
}

const BRANCH = /^((?:bnd |notrack |data16 |addr32 |rex\S* |repz |cs |ds |es |ss |fs |gs )*)(j[a-z]+|call|loop[a-z]*|xbegin)(,p[nt])? ([0-9a-f]+)$/;

export function normalizeObjdump(text: string): string {
  const plain = text.replace(/\s*#.*$/, '').replace(/\s*<.*>$/, '').replace(/\s+/g, ' ').trim().toLowerCase();
  return plain.replace(BRANCH, (_, prefixes: string, name: string, hint: string | undefined, target: string) => `${prefixes}${name}${hint ?? ''} 0x${target}`);
}

/** Our text in the same spelling. */
export function normalizeOwn(text: string): string {
  return text.replaceAll(', ', ',');
}
