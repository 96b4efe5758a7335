import { createReadStream } from 'node:fs';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { obtainGuest } from '@vmm/guests';
import { chromium } from 'playwright-core';
import type { Machine } from '@vmm/runtime';
import type { Browser, Page } from 'playwright-core';
import { build, preview } from 'vite';
import type { PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The promise: the same API, workers and guests in a page. Needs Debian's chromium (or CHROMIUM, the path of another). */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const ROOT = fileURLToPath(new URL('../../packages/web', import.meta.url));
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const BOOT_MS = 130_000;

describe.skipIf(!existsSync(CHROMIUM))('the page in Chromium', () => {
  let server: PreviewServer;
  let browser: Browser;
  let origin: string;
  const files = new Map<string, string>();

  beforeAll(async () => {
    await build({ root: ROOT, logLevel: 'error' });
    const serveGuests = {
      name: 'guests',
      configurePreviewServer: ({ middlewares }: PreviewServer): void => {
        middlewares.use((request, response, next) => {
          const path = files.get(request.url ?? '');
          if (path === undefined) next();
          else createReadStream(path).pipe(response.setHeader('Content-Type', 'application/octet-stream'));
        });
      },
    };
    server = await preview({ root: ROOT, logLevel: 'error', preview: { port: 0, host: '127.0.0.1' }, plugins: [serveGuests] });
    origin = server.resolvedUrls?.local[0] ?? '';
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });

  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  async function open(query: Record<string, string>): Promise<Page> {
    const page = await browser.newPage();
    page.on('pageerror', (error) => { console.error(`page: ${error.message}`); });
    await page.goto(`${origin}?${new URLSearchParams(query).toString()}`);
    return page;
  }

  /** The machine's output so far, as the page keeps it for tests and for copying. */
  const transcript = (page: Page): Promise<string> => page.evaluate(() => (globalThis as unknown as { vmmTranscript: string }).vmmTranscript);

  /** Keys into the terminal, as a person would. */
  async function type(page: Page, text: string): Promise<void> {
    await page.locator('.xterm-helper-textarea').focus();
    await page.keyboard.type(text);
  }

  async function expectOutput(page: Page, pattern: RegExp): Promise<void> {
    const until = Date.now() + BOOT_MS;
    while (!pattern.test(await transcript(page))) {
      const status = await page.textContent('#status');
      if (Date.now() > until || (await page.getAttribute('#status', 'class')) === 'error') throw new Error(`${String(pattern)} never came; ${status ?? ''}\n${(await transcript(page)).slice(-2000)}`);
      await page.waitForTimeout(250);
    }
  }

  it('boots nano, asks it for its memory and turns it off', async () => {
    const page = await open({ guest: 'nano' });
    await expectOutput(page, /nano> $/);
    expect(await transcript(page)).toMatch(/long mode +64-bit/);
    await type(page, 'mem 0\r');
    await expectOutput(page, /nano> mem 0[^]*nano> $/);
    await type(page, 'off\r');
    await expect.poll(() => page.textContent('#status'), { timeout: 10_000 }).toBe('poweroff');
    await page.close();
  });

  it('boots linux-amd64, types a script and sees the machine power off', async () => {
    const guest = await obtainGuest('linux-amd64');
    files.set('/guest/kernel', guest.kernel).set('/guest/initrd', guest.initrd);
    const page = await open({ kernel: '/guest/kernel', initrd: '/guest/initrd', append: guest.append, memory: '256M' });
    await expectOutput(page, /root@linux-amd64/);
    await type(page, 'uname -m; ls /; poweroff\n');
    await expectOutput(page, /^x86_64\r$/m);
    await expectOutput(page, /reboot: Power down/);
    await expect.poll(() => page.textContent('#status'), { timeout: 10_000 }).toBe('poweroff');
    await page.close();
  });

  it('translates in a worker of its own', async () => {
    const page = await open({ guest: 'nano', append: 'run=bench', translator: 'worker' });
    await expectOutput(page, /nano> $/);
    const counters = await page.evaluate(async () => (await (globalThis as unknown as { vmmMachine: Machine }).vmmMachine.state()).counters);
    expect(counters['regions']).toBeGreaterThan(0);
    expect(counters['staleRegions']).toBe(0);
    await type(page, 'off\r');
    await expect.poll(() => page.textContent('#status'), { timeout: 10_000 }).toBe('poweroff');
    await page.close();
  });

  it('says in one line what is wrong with a kernel', async () => {
    const page = await open({ kernel: '/nothing-here.bin' });
    await expect.poll(() => page.getAttribute('#status', 'class'), { timeout: 20_000 }).toBe('error');
    expect(await page.textContent('#status')).toMatch(/^Cannot /);
    await page.close();
  });
});
