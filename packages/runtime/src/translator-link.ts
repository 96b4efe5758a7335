import { createRing, MailCount } from '@vmm/bus';
import { connect, transfer } from '@vmm/bus/control';
import type { WorkerHandle } from '@vmm/bus/control';
import type { MakerConfig } from '@vmm/translator';
import type { TranslatorControl, TranslatorEnd } from './vcpu-control.ts';

/** As much of a `MessagePort` as is handed on here. */
export interface Port { postMessage(message: unknown): void }
declare const MessageChannel: new () => { readonly port1: Port; readonly port2: Port };

const RING_BYTES = 0x4_0000;

/** What leads from a vCPU to its translator worker and back. Made before either needs it; the vCPU does not wait for the other end. */
export class TranslatorLink {
  readonly #requests = createRing(RING_BYTES);
  readonly #mail = new MailCount();
  readonly #channel = new MessageChannel();

  /** For the vCPU's configuration; to be transferred with it. */
  get vcpuEnd(): TranslatorEnd { return { requests: this.#requests, mail: this.#mail.buffer, port: this.#channel.port1 }; }

  /** Has a worker make regions from now on. If it dies the vCPU makes its own. */
  async serveFrom(worker: WorkerHandle, maker: MakerConfig): Promise<void> {
    worker.onDeath(() => { this.#mail.close(); });
    const port = this.#channel.port2;
    await connect<TranslatorControl>(worker).start(transfer({ maker, requests: this.#requests, mail: this.#mail.buffer, port }, [port as never]));
  }
}
