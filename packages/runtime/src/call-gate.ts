import type { ControlInterface, Supervised } from '@vmm/bus/control';
import type { ControlBlock } from './control-block.ts';

/** The worker's side: counts the calls it has served, so that a busy loop knows how long to let the event loop turn. */
export class CallGate {
  readonly #turn: () => Promise<void>;
  #block: ControlBlock | undefined;
  #served = 0;

  constructor(turn: () => Promise<void>) {
    this.#turn = turn;
  }

  /** Where calls are announced from now on. */
  attach(block: ControlBlock): void {
    this.#block = block;
  }

  get hasCalls(): boolean {
    return this.#block !== undefined && this.#block.announcedCalls !== this.#served;
  }

  /** Lets the event loop turn once. */
  turn(): Promise<void> { return this.#turn(); }

  /** Lets the event loop turn, at least once, until every call announced so far has been served. Later ones wait for the next slice: a caller that polls must not starve the guest. */
  async serveCalls(): Promise<void> {
    const due = this.#block?.announcedCalls ?? 0;
    do await this.#turn(); while ((this.#served - due | 0) < 0);
  }

  /** The interface with every call counted. */
  counted<Api extends ControlInterface<Api>>(api: Api): Api {
    const counted: Record<string, (...args: unknown[]) => Promise<unknown>> = {};
    const methods = Object.entries(api) as [string, (...args: unknown[]) => unknown][];
    for (const [name, method] of methods) {
      counted[name] = async (...args) => {
        try {
          return await method(...args);
        } finally {
          this.#served++;
        }
      };
    }
    return counted as unknown as Api;
  }
}

/** The caller's side: announces every call before it is made. */
export function announced<Api extends ControlInterface<Api>>(remote: Supervised<Api>, block: ControlBlock): Supervised<Api> {
  return new Proxy({} as Supervised<Api>, {
    get: (_, name) => (...args: never[]) => {
      const result = (remote as unknown as Record<string | symbol, (...args: never[]) => Promise<unknown>>)[name]?.(...args);
      block.announceCall();
      return result;
    },
  });
}
