import { writeFileSync } from 'node:fs';
import { cliffsImage } from './cliffs.ts';

const [path = 'cliffs.img'] = process.argv.slice(2);
writeFileSync(path, cliffsImage());
console.log(`wrote ${path}`);
