import { serveControl, turn } from '@vmm/bus/browser';
import { serveConsole } from './console-server.ts';

serveConsole({ serveControl, turn });
