import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'vite';
import type { Consumer } from './consumer.ts';

/** vite would put an empty module in the place of a Node module: here that is an error, for it fails only when it runs. */
const noNodeModules: Plugin = {
  name: 'no-node-modules',
  enforce: 'pre',
  resolveId(source, importer) {
    if (source.startsWith('node:') || builtinModules.includes(source)) this.error(`${importer ?? 'entry'} imports ${source}`);
    return undefined;
  },
};

/** Bundles one entry point for a page. Throws what vite throws. */
export async function bundleForBrowser(consumer: Consumer, specifier: string): Promise<void> {
  const entry = `entry-${specifier.replaceAll(/\W+/g, '-')}.js`;
  consumer.write(entry, `import * as m from '${specifier}';\nglobalThis.bundled = m;\n`);
  await build({
    root: consumer.directory,
    configFile: false,
    logLevel: 'silent',
    plugins: [noNodeModules],
    worker: { format: 'es', plugins: () => [noNodeModules] },
    build: { target: 'esnext', outDir: 'out', emptyOutDir: true, rollupOptions: { input: join(consumer.directory, entry) } },
  });
}
