import { serveControl, turn } from '@vmm/bus/node';
import { serveConsole } from './console-server.ts';

serveConsole({ serveControl, turn });
