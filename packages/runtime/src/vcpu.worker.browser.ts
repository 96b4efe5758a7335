import { serveControl, turn } from '@vmm/bus/browser';
import { createCpuEngine } from './cpu-engine.ts';
import { serveVcpu } from './vcpu-server.ts';

serveVcpu({ serveControl, turn }, createCpuEngine);
