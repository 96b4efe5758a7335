import { describe, expect, it } from 'vitest';
import { readmeExamples } from './readme-examples.ts';

const example = "import { f } from '@vmm/x';\nconsole.log(f(1)); // one\nconsole.log(f(2)); // two\n";

describe('the examples of a README', () => {
  it('are its TypeScript blocks that import, with the output that their comments promise', () => {
    expect(readmeExamples(`# x\n\n\`\`\`ts\n${example}\`\`\`\n`)).toEqual([{ code: example, output: ['one', 'two'] }]);
  });

  it('do not include sketches, other languages or indented code', () => {
    expect(readmeExamples('```ts\nf(1);\n```\n```sh\nimport x from \'y\'\n```\n\n    import { f } from \'@vmm/x\';\n')).toEqual([]);
  });

  it('promise nothing when they print nothing', () => {
    expect(readmeExamples("```ts\nimport { f } from '@vmm/x';\nf(1); // one\n```\n")[0]?.output).toBeUndefined();
  });
});
