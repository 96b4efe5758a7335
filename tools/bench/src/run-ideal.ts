/**
 * What V8 allows: the loops of the cliffs image as WebAssembly that knows nothing of x86, one module a page, made when the page is reached. No translator that
 * makes such modules can be faster than this. Prints the markers that the image prints, with the same checksums.
 */
import { writeSync } from 'node:fs';
import * as w from '@vmm/wasm';
import { CLIFFS } from './cliffs.asm.ts';

type PageFunction = (turns: number, sum: number) => number;

const say = (text: string): void => { writeSync(1, `@@ ${text}\n`); };
const pages = new Map<number, PageFunction>();

function pageFunction(number: number): PageFunction {
  let known = pages.get(number);
  if (known === undefined) pages.set(number, known = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(number))).exports['page'] as PageFunction);
  return known;
}

/** The image's `template` with the constants that `make_pages` gives page `number`. */
function moduleOf(number: number): Uint8Array<ArrayBuffer> {
  const seed = Math.imul(number, 0x9e3779b1), mask = Math.imul(seed, 0x85ebca77), module = new w.ModuleBuilder();
  module.export('page', module.define(['i32', 'i32'], ['i32'], (fn) => {
    const eax = fn.local('i32'), ecx = fn.param(0), value = fn.get(eax);
    fn.set(eax, w.i32(seed));
    fn.loop((turn) => {
      fn.set(eax, w.xor(w.rotl(w.add(value, ecx), w.i32(5)), w.i32(mask)));
      const edx = fn.let(w.add(value, w.shl(ecx, w.i32(1))));
      fn.set(eax, w.sub(value, edx));
      fn.set(1, w.add(fn.param(1), value));
      fn.set(0, w.sub(ecx, w.i32(1)));
      fn.brIf(turn, ecx);
    });
    fn.return(fn.param(1));
  }));
  return module.finish();
}

say('INIT wasm');
for (const { name, loops } of CLIFFS) {
  if (loops === undefined) continue;
  say(`${name} start`);
  let sum = 0;
  for (let i = 0; i < loops.pages; i++) sum = pageFunction(loops.first + i)(loops.turns, sum);
  say(`${name} end ${(sum >>> 0).toString(16).padStart(8, '0')}`);
}
say('DONE');
