import { VmmError } from '@vmm/spec';
import { serveControl } from './host.node.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';
import { RingState } from './ring-layout.ts';

/** The other end of `workers.test.ts`. */
export interface TestWorker {
  add(a: number, b: number): number;
  hang(): Promise<void>;
  crashLater(): Promise<void>;
  exit(): Promise<void>;
  refuse(): void;
  /** Sends every record back, blocking on the ring, until it is closed. */
  echo(input: SharedArrayBuffer, output: SharedArrayBuffer): number;
}

const forever = (): Promise<void> => new Promise(() => { setInterval(() => {}, 1000); });

const api: TestWorker = {
  add: (a, b) => a + b,
  hang: forever,
  crashLater: () => {
    setTimeout(() => { throw new Error('the reactor is on fire'); }, 5);
    return forever();
  },
  exit: () => {
    setTimeout(() => { process.exit(3); }, 5);
    return forever();
  },
  refuse: () => { throw new VmmError('STATE_INVALID', 'Cannot start twice', { hint: 'Stop it first.' }); },
  echo: (input, output) => {
    const consumer = new RingConsumer(input);
    const producer = new RingProducer(output);
    let count = 0;
    for (;;) {
      while (consumer.next()) {
        while (!producer.begin(consumer.id, consumer.length)) producer.waitForRoom(100);
        producer.bytes.set(consumer.bytes.subarray(consumer.at, consumer.at + consumer.length), producer.at);
        count++;
      }
      producer.publish();
      if (consumer.state !== RingState.open) return count;
      consumer.wait(1000);
    }
  },
};

serveControl(api);
