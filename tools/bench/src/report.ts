import { geometricMean, median, ratios } from './results.ts';
import type { Results } from './results.ts';
import type { Suite } from './suites.ts';

const cell = (value: number | undefined, digits: number): string => (value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits));

/** The system that the others are divided by: TCG where it ran, else the base commit, else the first. */
export function referenceOf(results: Results): string {
  const names = Object.keys(results.systems);
  return ['tcg', 'base'].find((name) => names.includes(name)) ?? names[0] ?? '';
}

/** A Markdown table: medians in milliseconds, and ratios to the reference. */
export function table(results: Results, suite: Suite): string {
  const systems = Object.keys(results.systems), reference = referenceOf(results);
  const others = systems.filter((name) => name !== reference);
  const byRatio = Object.fromEntries(others.map((name) => [name, ratios(results, name, reference)]));
  const rows = suite.rows.map(({ name, title }) => `| \`${name}\` | ${title} | ${[
    ...systems.map((system) => cell(median(results.ms[system]?.[name] ?? []), 0)), ...others.map((system) => cell(byRatio[system]?.[name], 2)),
  ].join(' | ')} |`);
  const means = others.map((system) => cell(geometricMean(Object.values(byRatio[system] ?? {})), 2));
  return [
    `| row | what | ${[...systems.map((name) => `${name} ms`), ...others.map((name) => `${name} / ${reference}`)].join(' | ')} |`,
    `|---|---|${'---:|'.repeat(systems.length + others.length)}`,
    ...rows,
    `| | geometric mean | ${[...systems.map(() => ''), ...means].join(' | ')} |`,
  ].join('\n');
}

const COLOURS = ['#2563eb', '#d97706', '#059669', '#7c3aed', '#6b7280'];
const ROW = 14, GAP = 10, LEFT = 130, WIDTH = 520, TOP = 40;

/** Bars of the ratios on a logarithmic scale; the line in the middle is the reference. */
export function chart(results: Results, suite: Suite): string {
  const reference = referenceOf(results), others = Object.keys(results.systems).filter((name) => name !== reference);
  const data = others.map((name) => ratios(results, name, reference));
  const extent = Math.max(2, ...data.flatMap((row) => Object.values(row)).map((value) => Math.max(value, 1 / value)));
  const x = (ratio: number): number => LEFT + WIDTH / 2 * (1 + Math.log(ratio) / Math.log(extent));
  const blockHeight = ROW * others.length + GAP, height = TOP + blockHeight * suite.rows.length + 24;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 60}" height="${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="8" y="16" font-size="13">${suite.title}: time / ${reference} (logarithmic; left is faster)</text>`,
    ...others.map((name, i) => `<rect x="${LEFT + i * 110}" y="22" width="9" height="9" fill="${COLOURS[i % COLOURS.length] ?? ''}"/><text x="${LEFT + i * 110 + 13}" y="31">${name}</text>`),
  ];
  suite.rows.forEach(({ name }, row) => {
    const y = TOP + row * blockHeight;
    parts.push(`<text x="${LEFT - 8}" y="${y + blockHeight / 2}" text-anchor="end">${name}</text>`);
    data.forEach((values, i) => {
      const ratio = values[name];
      if (ratio === undefined) return;
      const from = Math.min(x(1), x(ratio)), to = Math.max(x(1), x(ratio));
      parts.push(`<rect x="${from.toFixed(1)}" y="${y + i * ROW}" width="${Math.max(1, to - from).toFixed(1)}" height="${ROW - 3}" fill="${COLOURS[i % COLOURS.length] ?? ''}"/>`,
        `<text x="${(ratio >= 1 ? to + 4 : x(1) + 4).toFixed(1)}" y="${y + i * ROW + 10}">${ratio.toFixed(2)}</text>`);
    });
  });
  parts.push(`<line x1="${x(1)}" x2="${x(1)}" y1="${TOP - 4}" y2="${height - 20}" stroke="#111"/>`, '</svg>');
  return `${parts.join('\n')}\n`;
}
