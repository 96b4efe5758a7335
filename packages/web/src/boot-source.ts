import { VmmError } from '@vmm/spec';
import type { LinuxBoot } from '@vmm/runtime';

/** What the form and the page's address ask for. */
export interface BootRequest {
  readonly kernelFile: File | undefined;
  readonly initrdFile: File | undefined;
  readonly kernelUrl: string | undefined;
  readonly initrdUrl: string | undefined;
  readonly append: string;
}

/** Fetches or reads the image. Without a kernel the embedded nano boots. */
export async function loadBoot(request: BootRequest, progress: (message: string) => void): Promise<LinuxBoot> {
  const kernel = await bytesOf('kernel', request.kernelFile, request.kernelUrl, progress);
  if (kernel === undefined) return embeddedNano(request, progress);
  const initrd = await bytesOf('RAM disk', request.initrdFile, request.initrdUrl, progress);
  return { kernel, commandLine: request.append, ...(initrd === undefined ? {} : { initrd }) };
}

/** Imported when asked for: it is assembled in the page. */
async function embeddedNano({ append }: BootRequest, progress: (message: string) => void): Promise<LinuxBoot> {
  progress('assembling nano');
  const nano = await import('@vmm/nano');
  return { kernel: nano.nanoKernel(), commandLine: append };
}

async function bytesOf(what: string, file: File | undefined, url: string | undefined, progress: (message: string) => void): Promise<Uint8Array | undefined> {
  if (file !== undefined && file.size > 0) return new Uint8Array(await file.arrayBuffer());
  if (url === undefined) return undefined;
  progress(`fetching ${what} ${url}`);
  const response = await fetch(url).catch((cause: unknown) => {
    throw new VmmError('IMAGE_UNREADABLE', `Cannot fetch ${what} ${url}`, { hint: 'Another origin must allow it (CORS).', cause });
  });
  if (!response.ok) {
    throw new VmmError('IMAGE_UNREADABLE', `Cannot fetch ${what} ${url}: ${response.status} ${response.statusText}`, { hint: 'Check the address.' });
  }
  return new Uint8Array(await response.arrayBuffer());
}
