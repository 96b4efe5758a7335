export interface Example {
  readonly code: string;
  /** What the example prints, line by line, as its `console.log(…); // …` comments say; undefined when it says nothing. */
  readonly output: readonly string[] | undefined;
}

/** The TypeScript blocks of a README that stand alone: those that import what they use. Others are sketches. */
export function readmeExamples(markdown: string): Example[] {
  return [...markdown.matchAll(/^```ts(?: run)?\n(.*?)^```$/gms)]
    .map((match) => match[1] ?? '')
    .filter((code) => /^import .* from '/m.test(code))
    .map((code) => ({ code, output: promisedOutput(code) }));
}

function promisedOutput(code: string): string[] | undefined {
  const promises = [...code.matchAll(/console\.log\(.*\);\s*\/\/\s?(.*)$/gm)].map((match) => match[1] ?? '');
  return promises.length === 0 ? undefined : promises;
}
