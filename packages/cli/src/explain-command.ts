import { readFile } from 'node:fs/promises';
import { VmmError } from '@vmm/spec';
import { explain, guestCode, IS_PRIME, renderListing, renderRegion } from '@vmm/runtime/explain';
import type { ExplainOptions } from '@vmm/runtime/explain';
import type { Config } from './config-schema.ts';
import { defined, firstLine } from './config-file.ts';
import { ElfFile } from './elf.ts';
import { EXIT } from './exit-code.ts';
import { findImage } from './image.ts';
import { writeAll } from './output.ts';

export interface ExplainFlags {
  readonly elf: string | undefined;
  readonly function: string | undefined;
  readonly source: string | undefined;
  readonly address: string | undefined;
  readonly bits: string;
  readonly after: number;
  readonly length: number;
  readonly offline: boolean;
}

const STDOUT = 1, STDERR = 2;
const SOURCE_ADDRESS = 0x40_1000;

/** One `vmm explain`: x86 code as blocks, and what the translator makes of it. */
export async function explainCommand(config: Config, flags: ExplainFlags, signal: AbortSignal): Promise<number> {
  const explanation = explain(await findCode(config, flags, signal));
  writeAll(STDOUT, `${renderListing(explanation)}\n${renderRegion(explanation)}`);
  return EXIT.ok;
}

async function findCode(config: Config, flags: ExplainFlags, signal: AbortSignal): Promise<ExplainOptions> {
  if (flags.elf !== undefined) return codeOfElf(flags.elf, flags);
  if (config.guest === undefined && config.kernel === undefined) return assembled(flags);
  const image = await findImage(config, { signal, offline: flags.offline, progress: () => {}, notice: (message) => { writeAll(STDERR, `${message}\n`); } });
  return guestCode({ boot: image.boot, instructions: flags.after, lengthBytes: flags.length, ...defined({ memory: config.memory, cpu: config.cpu, address: flags.address === undefined ? undefined : addressOf(flags.address) }) });
}

async function codeOfElf(path: string, flags: ExplainFlags): Promise<ExplainOptions> {
  const elf = new ElfFile(await read(path), path);
  const { function: name } = flags;
  const symbol = name === undefined ? undefined : elf.functions().find((one) => one.name === name);
  if (name !== undefined && symbol === undefined) throw new VmmError('OPTION_INVALID', `Cannot find function "${name}" in ${path}`, { hint: 'Its symbol table has no such function; --address takes a number.' });
  if (symbol === undefined && flags.address === undefined) throw new VmmError('OPTION_INVALID', `Cannot explain all of ${path}`, { hint: 'Give --function or --address.' });
  const address = symbol?.address ?? addressOf(flags.address ?? '');
  const bytes = elf.read(address, symbol === undefined || symbol.sizeBytes === 0 ? flags.length : symbol.sizeBytes);
  if (bytes === undefined) throw new VmmError('OPTION_INVALID', `Cannot find 0x${address.toString(16)} in ${path}`, { hint: 'No section of the file is there.' });
  return { bytes, address, bits: elf.bits };
}

async function assembled(flags: ExplainFlags): Promise<ExplainOptions> {
  const { assemble } = await import('@vmm/assembler');
  const bits = flags.bits === '32' ? 32 : 64;
  const source = flags.source === undefined ? IS_PRIME : new TextDecoder().decode(await read(flags.source));
  return { bytes: assemble(source, { org: SOURCE_ADDRESS, bits }).bytes, address: BigInt(SOURCE_ADDRESS), bits };
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new VmmError('IMAGE_UNREADABLE', `Cannot read ${path}: ${firstLine(cause)}`, { hint: 'Check the path and its permissions.', cause });
  }
}

function addressOf(text: string): bigint {
  try {
    return BigInt.asUintN(64, BigInt(/^0x/i.test(text) ? text : `0x${text}`));
  } catch {
    throw new VmmError('OPTION_INVALID', `Cannot read address "${text}"`, { hint: 'Give it in hexadecimal, as ffffffff81000000.' });
  }
}
