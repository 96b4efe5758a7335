import type { AccessSize, Device } from '@vmm/device-kit';
import { PORT } from '@vmm/spec';

/** Port 0x80: firmware writes its progress here, and kernels write to it to lose a microsecond. */
export class PostCode implements Device {
  readonly name = 'post-code';
  readonly ports = [{ base: PORT.POST_CODE, length: 1 }];
  readonly #onCode: ((code: number) => void) | undefined;
  #last = 0;

  /** `onCode` hears of changes only: a delay loop writes the same value for ever. */
  constructor(options: { readonly onCode?: (code: number) => void } = {}) {
    this.#onCode = options.onCode;
  }

  get last(): number {
    return this.#last;
  }

  pioRead(_port: number, _size: AccessSize): number {
    return this.#last;
  }

  pioWrite(_port: number, _size: AccessSize, value: number): void {
    if (value === this.#last) return;
    this.#last = value & 0xff;
    this.#onCode?.(this.#last);
  }

  reset(): void {
    this.#last = 0;
  }

  save(): number {
    return this.#last;
  }

  restore(snapshot: unknown): void {
    this.#last = snapshot as number;
  }
}

/** Port 0xE9: a console of one instruction, Bochs' and QEMU's. Reading it answers 0xE9, which is how software finds it. */
export class DebugConsole implements Device {
  readonly name = 'debug-console';
  readonly ports: readonly [{ base: number; length: number }];
  readonly #onByte: (byte: number) => void;
  readonly #base: number;

  /** SeaBIOS and OVMF log to 0x402 instead of 0xE9. */
  constructor(options: { readonly onByte: (byte: number) => void; readonly base?: number }) {
    this.#onByte = options.onByte;
    this.#base = options.base ?? PORT.DEBUG_CONSOLE;
    this.ports = [{ base: this.#base, length: 1 }];
  }

  pioRead(_port: number, _size: AccessSize): number {
    return 0xe9;
  }

  pioWrite(_port: number, _size: AccessSize, value: number): void {
    this.#onByte(value & 0xff);
  }

  reset(): void {}

  save(): null {
    return null;
  }

  restore(_snapshot: unknown): void {}
}

/** QEMU's isa-debug-exit: a write of `v` asks to end the machine with exit code `(v << 1) | 1`, so never with 0. */
export class DebugExit implements Device {
  readonly name = 'debug-exit';
  readonly ports = [{ base: PORT.DEBUG_EXIT, length: 4, access: 4 }] as const;
  readonly #onExit: (code: number) => void;

  constructor(options: { readonly onExit: (code: number) => void }) {
    this.#onExit = options.onExit;
  }

  pioRead(_port: number, _size: AccessSize): number {
    return 0;
  }

  pioWrite(_port: number, _size: AccessSize, value: number): void {
    this.#onExit((value * 2 + 1) & 0xff);
  }

  reset(): void {}

  save(): null {
    return null;
  }

  restore(_snapshot: unknown): void {}
}
