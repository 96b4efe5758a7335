import { openMailbox, serveControl, turn } from '@vmm/bus/node';
import { cpuEngineFactory } from './cpu-engine.ts';
import { keptFile, storeBesideProgram } from './module-store.node.ts';
import { serveVcpu } from './vcpu-server.ts';

serveVcpu({ serveControl, turn }, cpuEngineFactory({ openMailbox: openMailbox as never, openFile: keptFile, moduleStore: storeBesideProgram(import.meta.url) }));
