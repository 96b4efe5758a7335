import { serveControl, turn } from '@vmm/bus/node';
import { createFakeEngine } from './fake-engine.testing.ts';
import { serveVcpu } from './vcpu-server.ts';

serveVcpu({ serveControl, turn }, createFakeEngine);
