import { describe, expect, it } from 'vitest';
import { AccessClient } from './access-client.ts';
import { AccessServer } from './access-server.ts';
import type { AccessHandler } from './access-server.ts';
import { closeRing, createRing, RingState } from './ring-layout.ts';
import { RingConsumer } from './ring-consumer.ts';
import { RingProducer } from './ring-producer.ts';

/** Both ends in one thread: the server runs whenever the client looks whether it was cancelled. */
function loop(): { client: AccessClient; log: string[]; rings: SharedArrayBuffer[] } {
  const rings = [createRing(256), createRing(64)] as const;
  const log: string[] = [];
  const handler: AccessHandler = {
    readPort: (port, size) => { log.push(`in ${port} ${size}`); return 0xffff_fff0; },
    writePort: (port, size, value) => { log.push(`out ${port} ${size} ${value}`); },
    readMmio: (gpa, size) => { log.push(`read ${gpa} ${size}`); return 7; },
    writeMmio: (gpa, size, value) => { log.push(`write ${gpa} ${size} ${value}`); },
    reset: () => { log.push('reset'); },
    flush: () => { log.push('flush'); },
  };
  const server = new AccessServer(new RingConsumer(rings[0]), new RingProducer(rings[1]), handler);
  const client = new AccessClient(new RingProducer(rings[0]), new RingConsumer(rings[1]), {
    name: 'console', isCancelled: () => { server.serve(); return false; },
  });
  return { client, log, rings: [...rings] };
}

describe('access plane', () => {
  it('carries ports and addresses up to 2^52, unsigned values and order', () => {
    const { client, log } = loop();
    client.writePort(0x3f8, 1, 65);
    client.writeMmio(0x10_0000_0000, 4, 0xdead_beef);
    expect([client.readPort(0x3fd, 4), client.readMmio(0xfee0_0020, 4)]).toEqual([0xffff_fff0, 7]);
    client.reset();
    client.fence();
    expect(log).toEqual(['out 1016 1 65', `write ${0x10_0000_0000} 4 ${0xdead_beef}`, 'in 1021 4', `read ${0xfee0_0020} 4`, 'reset', 'flush']);
  });

  it('posts any number of writes', () => {
    const { client, log } = loop();
    for (let i = 0; i < 100; i++) client.writePort(1, 1, i);
    client.readPort(1, 1);
    expect(log.length).toBe(101);
  });

  it('gives up with the worker\'s name when the other end is lost', () => {
    const { client, rings } = loop();
    for (const ring of rings) closeRing(ring, RingState.lost);
    expect(() => client.readPort(1, 1)).toThrow(expect.objectContaining({ code: 'WORKER_LOST', message: 'Cannot reach the devices of worker console' }));
  });
});
