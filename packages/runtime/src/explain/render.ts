import { CLASSES } from '@vmm/translator';
import type { Explanation } from './explain.ts';

const hex = (value: bigint): string => value.toString(16);

/** An explanation as text: x86 blocks with classes, then the region in WebAssembly's text format. */
export function renderListing({ blocks, classes }: Explanation): string {
  const count = blocks.reduce((sum, { instructions }) => sum + instructions.length, 0);
  const lines = [`${count} instructions in ${blocks.length} blocks: ${CLASSES.map((name) => `${name} ${classes[name]}`).join(', ')}`];
  for (const { address, instructions, successors } of blocks) {
    lines.push('', `block ${hex(address)}${successors.length === 0 ? '' : `, then ${successors.map(hex).join(' or ')}`}`);
    for (const { address: at, bytes, kind, text } of instructions) lines.push(`  ${hex(at)}  ${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ').padEnd(21)} ${kind}  ${text}`);
  }
  return `${lines.join('\n')}\n`;
}

export function renderRegion({ region, module }: Explanation): string {
  if (region === undefined) return 'left to the interpreter\n';
  const { params, results, locals, lines } = region;
  const own = locals.slice(params.length);
  return [
    `(func${params.length === 0 ? '' : ` (param ${params.join(' ')})`}${results.length === 0 ? '' : ` (result ${results.join(' ')})`}  ;; ${lines.length} instructions, module of ${module?.length ?? 0} bytes`,
    ...(own.length === 0 ? [] : [`  (local ${own.join(' ')})`]), ...lines.map((line) => `  ${line}`), ')', '',
  ].join('\n');
}
