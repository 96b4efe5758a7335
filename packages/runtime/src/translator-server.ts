import { MailCount } from '@vmm/bus';
import { MakerServer } from '@vmm/translator';
import type { MadeBatch } from '@vmm/translator';
import type { TranslatorControl } from './vcpu-control.ts';
import type { WorkerParts } from './vcpu-server.ts';

/** Serves one vCPU's translator from this worker. It is never called again once it runs: it ends with the machine. */
export function serveTranslator({ serveControl, turn }: WorkerParts): void {
  const api: TranslatorControl = {
    start: ({ maker, requests, mail, port }) => {
      const count = new MailCount(mail);
      const post = (batch: MadeBatch): void => {
        port.postMessage(batch);
        count.add();
      };
      const server = new MakerServer(maker, { requests, post });
      // the answer leaves first
      void turn().then(() => server.run());
    },
  };
  serveControl(api);
}
