import { assemble } from '@vmm/assembler';
import { explain, IS_PRIME, renderListing, renderRegion } from '@vmm/runtime/explain';

const ADDRESS = 0x40_1000;

/** From x86 to WebAssembly, by the classic example. */
export function translationPage(): string {
  const explanation = explain({ bytes: assemble(IS_PRIME, { org: ADDRESS, bits: 64 }).bytes, address: BigInt(ADDRESS), bits: 64 });
  return `# One function, from x86 to WebAssembly

Made by \`vmm explain\`, which shows the same for a function of an ELF file, for an address in a guest that has run for a while, or for assembly of your own.
The example is the one with which VMware's engineers explained their translator: is \`edi\` prime?

\`\`\`asm
${IS_PRIME.trim()}
\`\`\`

## Blocks

Each instruction with its class: P pure, M memory, C control flow, S sensitive ([all of those](sensitive-instructions.md)).

\`\`\`
${renderListing(explanation)}\`\`\`

## What becomes of them

One region: a WebAssembly function with the blocks as structured control flow. The loop of the source is a \`loop\` here, and registers are locals: loaded
from the vCPU's state at entry where they are read, stored at the one exit where they were written. Flags are not computed but kept as operation and
operands (\`flagKind\`, \`flagA\`, \`flagB\`, \`flagResult\`) until somebody looks; a comparison right before its branch becomes one WebAssembly comparison. Each block
pays for its instructions from \`budget\`; a loop's head looks at \`budget\` and at \`pending\`, so that timers and interrupts are served. \`idiv\` checks its own
operands: a division that would trap in WebAssembly leaves by the same exit, with the guest's #DE recorded.

\`\`\`wat
${renderRegion(explanation)}\`\`\`
`;
}
