import { openMailbox, serveControl, turn } from '@vmm/bus/browser';
import { cpuEngineFactory } from './cpu-engine.ts';
import { serveVcpu } from './vcpu-server.ts';

serveVcpu({ serveControl, turn }, cpuEngineFactory({ openMailbox: openMailbox as never }));
