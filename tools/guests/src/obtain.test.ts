import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeArchive } from './archive.testing.ts';
import { cacheFolder } from './cache-folder.ts';
import { type Guest, obtainGuest, type ObtainOptions } from './obtain.ts';

let archive: FakeArchive;
beforeEach(() => { archive = new FakeArchive(); });
afterEach(() => { archive.close(); });

const obtain = (name: string, options: ObtainOptions = {}): Promise<Guest> => obtainGuest(name, { cache: archive.cache, ...options });

describe('obtaining a guest', () => {
  it('takes kernel and busybox out of their packages and makes a RAM disk', async () => {
    const guest = await obtain('linux-i386');
    expect(readFileSync(guest.kernel, 'utf8')).toBe('kernel i386');
    expect(guest).toMatchObject({ architecture: 'i386', append: expect.stringContaining('console=ttyS0'), kernelPackage: 'debian-installer-12-netboot-i386 9.9' });
    const disk = gunzipSync(readFileSync(guest.initrd)).toString('latin1');
    expect(disk).toContain('hostname linux-i386');
    expect(disk).toContain('bin/mount\0');
    expect(archive.calls().filter((call) => call.startsWith('apt-get'))).toEqual(['apt-get update', 'apt-get download debian-installer-12-netboot-i386', 'apt-get download busybox-static:i386']);
  });

  it('follows a package that only points at the real one', async () => {
    expect(await obtain('linux-cloud-amd64')).toMatchObject({ kernelPackage: 'linux-image-9.9-cloud-amd64 9.9' });
    expect(archive.calls()).toContain('apt-get download linux-image-9.9-cloud-amd64:amd64');
  });

  it('runs nothing the second time', async () => {
    const first = await obtain('linux-amd64');
    archive.calls();
    expect(await obtain('linux-amd64', { offline: true })).toEqual(first);
    expect(archive.calls()).toEqual([]);
  });

  it('shares busybox between guests of one architecture', async () => {
    await obtain('linux-amd64');
    archive.calls();
    await obtain('linux-cloud-amd64');
    expect(archive.calls().filter((call) => call.includes('busybox'))).toEqual([]);
  });

  it('fetches a damaged kernel again, and packs a damaged RAM disk again', async () => {
    const guest = await obtain('linux-amd64');
    writeFileSync(guest.kernel, 'kernel amd65');
    writeFileSync(guest.initrd, '');
    archive.calls();
    const again = await obtain('linux-amd64');
    expect(readFileSync(again.kernel, 'utf8')).toBe('kernel amd64');
    expect(again).toEqual(guest);
    expect(archive.calls().filter((call) => call.includes('download'))).toEqual(['apt-get download debian-installer-12-netboot-amd64']);
  });

  it('reports every wait, downloads with their fraction', async () => {
    const seen: string[] = [];
    await obtain('linux-amd64', { progress: ({ phase, fraction }) => { seen.push(fraction === undefined ? phase : `${phase} ${fraction}`); } });
    expect(new Set(seen)).toEqual(new Set(['lists', 'resolve', 'download 0.5', 'extract', 'pack']));
  });

  it('is done once when asked for twice at a time', async () => {
    const waits: string[] = [];
    const [first, second] = await Promise.all([0, 1].map(() => obtain('linux-amd64', { progress: ({ phase }) => { waits.push(phase); } })));
    expect(second).toEqual(first);
    expect(waits).toContain('wait');
    expect(archive.calls().filter((call) => call.includes('download'))).toHaveLength(2);
  });

  it('leaves nothing behind but the cache', async () => {
    await obtain('linux-amd64');
    expect(readdirSync(archive.cache).sort()).toEqual(['apt', 'artifacts', 'guests']);
  });
});

describe('a guest that cannot be had', () => {
  const failing: [string, () => void, ObtainOptions, string][] = [
    ['without a network', () => { archive.program('apt-get', 'echo "E: Could not resolve" >&2; exit 100'); }, {}, 'GUEST_PACKAGES_UNAVAILABLE'],
    ['on a system of another kind', () => { process.env.PATH = '/nonexistent'; }, {}, 'GUEST_PACKAGES_UNAVAILABLE'],
    ['when the archive lacks the package', () => { archive.program('apt-cache', 'echo "E: No packages found" >&2; exit 100'); }, {}, 'GUEST_PACKAGES_UNAVAILABLE'],
    ['when the package lacks the file', () => { archive.program('dpkg-deb', 'tar -c -T /dev/null'); }, {}, 'GUEST_PACKAGES_UNAVAILABLE'],
    ['offline, not cached', () => undefined, { offline: true }, 'GUEST_NOT_CACHED'],
    ['with a busybox nobody knows', () => { archive.file('bin/busybox', 'ELF'); }, {}, 'GUEST_BUSYBOX_UNRECOGNISED'],
    ['stopped by the caller', () => undefined, { signal: AbortSignal.abort() }, 'GUEST_ABORTED'],
    ['stopped while it downloads', () => { archive.program('apt-get', 'sleep 30'); }, { signal: AbortSignal.timeout(200) }, 'GUEST_ABORTED'],
  ];

  it.each(failing)('%s', async (_name, arrange, options, code) => {
    arrange();
    await expect(obtain('linux-amd64', options)).rejects.toMatchObject({ name: 'VmmError', code });
    expect(existsSync(join(archive.cache, 'lock'))).toBe(false);
  });

  it('stopped while it downloads: what was running ends too', async () => {
    archive.program('apt-get', `sleep 30 & echo $! > ${archive.folder}/pid; wait`);
    await expect(obtain('linux-amd64', { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({ code: 'GUEST_ABORTED' });
    const pid = Number(readFileSync(join(archive.folder, 'pid'), 'utf8'));
    await expect.poll(() => existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '(gone) Z').toMatch(/\) Z/); // or nobody has asked yet how it ended
  });

  it('because there is none of that name', async () => {
    await expect(obtain('linux-vax')).rejects.toMatchObject({ code: 'GUEST_UNKNOWN', hint: expect.stringContaining('linux-i386') });
  });

  it('because its cache cannot be written', async () => {
    writeFileSync(archive.cache, 'a file');
    await expect(obtain('linux-amd64')).rejects.toMatchObject({ code: 'GUEST_CACHE_UNWRITABLE', hint: expect.stringContaining('VMM_CACHE') });
  });
});

describe('the cache folder', () => {
  it.each([
    [{ VMM_CACHE: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    [{ XDG_CACHE_HOME: '/b' }, '/b/vmm'],
    [{}, expect.stringMatching(/\/\.cache\/vmm$/)],
  ])('of %o', (environment, folder) => {
    expect(cacheFolder(environment)).toEqual(folder);
  });
});
