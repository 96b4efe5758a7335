import { serveControl, turn } from '@vmm/bus/browser';
import { serveTranslator } from './translator-server.ts';

serveTranslator({ serveControl, turn });
