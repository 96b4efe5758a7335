import { open } from 'node:fs/promises';
import { VmmError } from '@vmm/spec';
import { GUESTS, obtainGuest } from '@vmm/guests';
import type { LinuxBoot } from '@vmm/runtime';
import type { Config } from './config-schema.ts';
import { firstLine } from './config-file.ts';
import { NANO } from './nano.ts';

export const DEFAULT_GUEST = 'linux-amd64';
const DEFAULT_APPEND = 'console=ttyS0';

export interface ImageOptions {
  readonly signal: AbortSignal;
  readonly progress: (message: string, fraction?: number) => void;
  /** Told in one line when the default guest cannot be had and nano boots instead. */
  readonly notice: (message: string) => void;
  readonly offline: boolean;
}

export interface Image {
  /** For people: what boots. */
  readonly title: string;
  readonly boot: LinuxBoot;
}

/** The guest that the configuration asks for: its own kernel, a guest that vmm obtains, or the embedded nano. */
export async function findImage(config: Config, options: ImageOptions): Promise<Image> {
  if (config.kernel !== undefined) return loadFiles(config.kernel, config, options, config.append ?? DEFAULT_APPEND);
  if (config.initrd !== undefined && config.guest === undefined) {
    throw new VmmError('OPTION_INVALID', 'Cannot use an initrd without a kernel', { hint: 'Give --kernel too, or --guest.' });
  }
  if (config.guest === NANO) return nanoImage(config);
  const name = config.guest ?? DEFAULT_GUEST;
  checkName(name);
  try {
    const guest = await obtainGuest(name, {
      signal: options.signal, offline: options.offline,
      progress: ({ message, fraction }) => { options.progress(message, fraction); },
    });
    return await loadFiles(guest.kernel, { ...config, initrd: config.initrd ?? guest.initrd }, options, config.append ?? guest.append, `${name} (${guest.kernelPackage})`);
  } catch (error) {
    if (config.guest !== undefined || options.signal.aborted) throw error;
    const nano = await nanoImage(config).catch(() => undefined);
    if (nano === undefined) throw error;
    options.notice(`${firstLine(error)}; booting the embedded nano instead`);
    return nano;
  }
}

function checkName(name: string): void {
  const names = [...GUESTS.map((guest) => guest.name), NANO];
  if (names.includes(name)) return;
  throw new VmmError('GUEST_UNKNOWN', `Cannot find guest "${name}"`, { hint: `Guests are: ${names.join(', ')}.` });
}

async function nanoImage(config: Config): Promise<Image> {
  const { nanoKernel } = await import('./nano.ts');
  return { title: 'nano', boot: { kernel: await nanoKernel(), commandLine: config.append ?? '' } };
}

async function loadFiles(kernel: string, config: Config, { signal, progress }: ImageOptions, append: string, title = kernel): Promise<Image> {
  progress('read the kernel');
  const kernelBytes = await readImage('kernel', kernel, signal);
  if (config.initrd === undefined) return { title, boot: { kernel: kernelBytes, commandLine: append } };
  progress('read the initial RAM disk');
  return { title, boot: { kernel: kernelBytes, initrd: await readImage('initrd', config.initrd, signal), commandLine: append } };
}

async function readImage(what: string, path: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const bytes = await readShared(path);
    signal.throwIfAborted();
    if (bytes.length > 0) return bytes;
  } catch (cause) {
    if (signal.aborted) throw new VmmError('ABORTED', `Stopped while reading ${what} ${path}`, { cause });
    throw new VmmError('IMAGE_UNREADABLE', `Cannot read ${what} ${path}: ${firstLine(cause)}`, { hint: 'Check the path and its permissions.', cause });
  }
  throw new VmmError('IMAGE_INVALID', `Cannot boot ${what} ${path}: it is empty`, { hint: 'Give a file that has contents.' });
}

/** Into memory that the machine's worker can see: a kernel need not be in memory twice. */
async function readShared(path: string): Promise<Uint8Array> {
  await using file = await open(path);
  const stat = await file.stat();
  if (!stat.isFile()) return await file.readFile();
  const { size } = stat;
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  let at = 0;
  for (let read = -1; at < size && read !== 0; at += read) ({ bytesRead: read } = await file.read(bytes, at, size - at, at));
  return bytes.subarray(0, at);
}
