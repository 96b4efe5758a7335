import { serveControl, turn } from '@vmm/bus/node';
import { serveTranslator } from './translator-server.ts';

serveTranslator({ serveControl, turn });
