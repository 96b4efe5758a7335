import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadBoot, type BootRequest } from './boot-source.ts';

const nothing: BootRequest = { kernelFile: undefined, initrdFile: undefined, kernelUrl: undefined, initrdUrl: undefined, append: 'quiet' };

afterEach(() => { vi.unstubAllGlobals(); });

describe('what the page boots', () => {
  it('is what the form was given, with its command line', async () => {
    const [kernelFile, initrdFile] = [new File([Uint8Array.of(1, 2)], 'linux'), new File([Uint8Array.of(3)], 'initrd')];
    expect(await loadBoot({ ...nothing, kernelFile, initrdFile }, () => undefined)).toEqual({
      kernel: Uint8Array.of(1, 2), initrd: Uint8Array.of(3), commandLine: 'quiet',
    });
  });

  it('is fetched from the address, and the wait is told', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(Uint8Array.of(9))));
    const progress = vi.fn();
    expect(await loadBoot({ ...nothing, kernelUrl: '/linux' }, progress)).toEqual({ kernel: Uint8Array.of(9), commandLine: 'quiet' });
    expect(progress).toHaveBeenCalledWith('fetching kernel /linux');
  });

  it.each([
    ['an answer that is no image', () => Promise.resolve(new Response(null, { status: 404, statusText: 'Not Found' })), '404 Not Found', 'Check the address.'],
    ['no answer', () => Promise.reject(new TypeError('Failed to fetch')), 'Cannot fetch kernel /linux', 'Another origin must allow it (CORS).'],
  ])('is an error with a hint for %s', async (_what, answer, message, hint) => {
    vi.stubGlobal('fetch', answer);
    const error: unknown = await loadBoot({ ...nothing, kernelUrl: '/linux' }, () => undefined).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'IMAGE_UNREADABLE', message: expect.stringContaining(message), hint });
  });

  it('is nano when nothing was named', async () => {
    const { kernel, commandLine } = await loadBoot(nothing, () => undefined);
    expect(kernel.length).toBeGreaterThan(1000);
    expect(commandLine).toBe('quiet');
  });
});
