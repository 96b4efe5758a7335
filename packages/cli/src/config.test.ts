import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, parseOptions } from './config-file.ts';
import { configJsonSchema, configSchema } from './config-schema.ts';
import { mergeConfig } from './program.ts';

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vmm-config-')); });
afterEach(() => { rmSync(folder, { recursive: true }); });

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

describe('configuration', () => {
  it('is empty when nobody wrote one', async () => expect(await loadConfig(undefined, folder)).toEqual({}));

  it('comes from vmm.config.json in the current folder, paths relative to it', async () => {
    file('vmm.config.json', '{ "kernel": "vmlinuz", "memory": "64M" }');
    expect(await loadConfig(undefined, folder)).toEqual({ kernel: join(folder, 'vmlinuz'), memory: '64M' });
  });

  it('comes from a module\'s default export', async () => {
    file('vmm.config.ts', 'const memory: string = "64M";\nexport default { guest: "nano", memory };\n');
    expect(await loadConfig(undefined, folder)).toEqual({ guest: 'nano', memory: '64M' });
  });

  it.each([
    ['is missing', 'none.json', undefined, 'ENOENT'],
    ['is no JSON', 'a.json', '{', 'Cannot read configuration'],
    ['has an unknown key', 'b.json', '{ "ram": 5 }', 'Unrecognized key: "ram"'],
    ['has a wrong value', 'c.json', '{ "clock": { "scale": -1 } }', 'clock'],
    ['exports nothing', 'd.ts', 'export const memory = "1G";', 'Cannot use configuration d.ts'],
    ['throws', 'e.ts', 'throw new Error("no luck");', 'no luck'],
  ])('is refused when it %s', async (_, name, text, message) => {
    if (text !== undefined) file(name, text);
    await expect(loadConfig(name, folder)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) as string });
  });

  it.each([
    [{ cpu: 'z80' }, 'Cannot use --cpu z80', /One of: default64, /],
    [{ clock: 'sundial' }, 'Cannot use --clock sundial', /scaled real time/],
    [{ entry: 48 }, 'Cannot use --entry 48', /real-mode code/],
    [{ onTripleFault: 'cry' }, 'Cannot use --triple-fault cry', /stop, reset/],
    [{ placement: { serial: 'moon' } }, 'Cannot use --placement {"serial":"moon"}', /vcpu or worker/],
  ])('names the option that is wrong: %o', async (options, message, hint) => {
    await expect(parseOptions(options)).rejects.toMatchObject({ code: 'OPTION_INVALID', message, hint: expect.stringMatching(hint) as string });
  });

  it('lets options through that may be any text: the schema would', async () => {
    const options = { guest: 'g', kernel: 'k', initrd: 'i', append: 'a', memory: 'm', translationCache: 't' };
    expect(await parseOptions(options)).toEqual(configSchema.parse(options));
    await expect(parseOptions({ ...options, memory: true })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  it('yields to the command line, image and all', () => {
    const fromFile = { kernel: '/k', initrd: '/i', append: 'x', memory: '64M' };
    expect(mergeConfig(fromFile, { memory: '1G' })).toEqual({ ...fromFile, memory: '1G' });
    expect(mergeConfig(fromFile, { guest: 'nano' })).toEqual({ guest: 'nano', memory: '64M' });
  });

  it('has its JSON Schema published as it is (pnpm --filter @vmm/cli schema)', () => {
    expect(JSON.parse(readFileSync(new URL('../vmm.config.schema.json', import.meta.url), 'utf8'))).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });
});
