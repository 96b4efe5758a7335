import { createRing } from '@vmm/bus';
import type { TranslationContext } from '@vmm/cpu';
import { describe, expect, it } from 'vitest';
import { CODE, runFlat } from './flat-machine.testing.ts';
import { makerConfig } from './maker-host.ts';
import { compareEngines, outcomeOf } from './random-programs.testing.ts';
import type { MadeBatch } from './region-job.ts';
import { RemoteMaking } from './remote-making.ts';
import { MakerServer } from './serve-maker.ts';
import { surroundings } from './translator.ts';

/** Both ends on one thread: the server has its turn at every third look for mail, unless the test gives it. */
class Pair {
  readonly batches: MadeBatch[] = [];
  readonly turnsByItself: boolean;
  readonly ringBytes: number;
  isDead = false;
  #looks = 0;
  server: MakerServer | undefined;

  constructor({ turnsByItself = true, ringBytes = 0x1000 } = {}) {
    this.turnsByItself = turnsByItself;
    this.ringBytes = ringBytes;
  }

  readonly making = (context: TranslationContext): RemoteMaking => {
    const requests = createRing(this.ringBytes);
    this.server = new MakerServer(makerConfig(context), { requests, post: (batch) => this.batches.push(batch), companyMs: 0 });
    const take = (): MadeBatch | undefined => {
      if (this.turnsByItself && !this.isDead && this.#looks++ % 3 === 2) this.server?.turn();
      return this.batches.shift();
    };
    return new RemoteMaking(surroundings(context), { requests, mailbox: { take, needsTurn: false }, isDead: () => this.isDead }, { batchSize: 1, batchDelayMs: 0 });
  };
}

const LOOP = 'mov ecx, 200000\nagain: mov ebx, 0x11111111\nadd eax, 1\ndec ecx\njnz again\nhlt';
/** Of the constant in the loop. */
const CONSTANT = CODE + 6;

describe.each([32, 64] as const)('regions of %i-bit code made by a translator worker', (bits) => {
  it('do what the interpreter does, with jobs that do not fit the ring at once', { timeout: 120_000 }, () => {
    for (let seed = 1; seed <= 8; seed++) {
      const { source, expected, actual } = compareEngines(bits, seed * 104_729, undefined, { making: new Pair({ ringBytes: 256 }).making });
      expect(actual.counters['regions'], 'something was translated').toBeGreaterThan(0);
      expect(`${seed} ${outcomeOf(actual)}`, source).toBe(`${seed} ${outcomeOf(expected)}`);
    }
  });

  it('are made on the vCPU\'s thread once the worker is dead', () => {
    const pair = new Pair({ turnsByItself: false });
    const { result, counters, registers } = runFlat(bits, LOOP, 'translator', { making: pair.making, onSlice: (_, slice) => { if (slice === 3) pair.isDead = true; } });
    expect([result, Number(registers.general['rax'])]).toEqual(['halt', 200_000]);
    expect(counters['regions']).toBeGreaterThan(0);
  });

  it('are not used if their code has changed since it was read', () => {
    const pair = new Pair({ turnsByItself: false });
    const { result, counters, registers } = runFlat(bits, LOOP, 'translator', {
      making: pair.making,
      onSlice: (memory, slice) => {
        pair.server?.turn();
        if (slice === 0) memory.guest.write32(CONSTANT, 0x2222_2222);
      },
    });
    expect([result, Number(registers.general['rax']), Number(registers.general['rbx'])]).toEqual(['halt', 200_000, 0x2222_2222]);
    expect(counters['staleRegions']).toBe(1);
    expect(counters['regions']).toBeGreaterThan(0);
  });
});
