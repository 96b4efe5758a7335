import { parseArgs } from 'node:util';
import { RandomGuest } from './guest.ts';

const HELP = `Runs random code in every mode and ring, with interrupts, until so many instructions have been executed.

  node src/random-code/main.ts [--instructions 100000000] [--seed 1] [--translated] [--program 20000]

--translated   code that runs often is translated
--program      instructions a program may run

A host exception ends it with the seed and the number of the program; a hang shows in the slowest run.
`;

const { values } = parseArgs({
  options: { instructions: { type: 'string', default: '100000000' }, seed: { type: 'string', default: '1' }, translated: { type: 'boolean', default: false }, program: { type: 'string', default: '20000' }, help: { type: 'boolean', default: false } },
});

/** A CPU collects code for ever; a new one now and then. */
const PROGRAMS_PER_CPU = 120;

function run(): void {
  let instructions = 0, programs = 0, exceptions = 0, shutdowns = 0, regions = 0, slowest = 0, seed = Number(values.seed);
  const began = performance.now();
  while (instructions < Number(values.instructions)) {
    const guest = new RandomGuest({ seed, translated: values.translated });
    try {
      while (guest.report.programs < PROGRAMS_PER_CPU && instructions + guest.report.instructions < Number(values.instructions)) guest.runProgram(Number(values.program));
    } catch (error) {
      console.error(`seed ${String(seed)}, program ${String(guest.report.programs)}:`, error);
      process.exitCode = 1;
      return;
    }
    const { report } = guest;
    instructions += report.instructions;
    programs += report.programs;
    exceptions += report.exceptions;
    shutdowns += report.shutdowns;
    regions += report.regions;
    slowest = Math.max(slowest, report.slowestRunMs);
    seed++;
    console.log(`${programs} programs, ${(instructions / 1e6).toFixed(1)} M instructions, ${(exceptions / 1e6).toFixed(2)} M exceptions, ${shutdowns} shutdowns, ${regions} regions, slowest run ${slowest.toFixed(0)} ms, ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
}

if (values.help) console.log(HELP);
else run();
