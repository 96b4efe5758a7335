import { writeFileSync } from 'node:fs';
import { configJsonSchema } from './config-schema.ts';

writeFileSync(new URL('../vmm.config.schema.json', import.meta.url), `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
