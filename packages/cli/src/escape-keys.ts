const CTRL_A = 0x01;

export const KEYS_HELP = [
  'Ctrl-A x       quit: stop the machine',
  'Ctrl-A h       this help',
  'Ctrl-A r       press the reset button',
  'Ctrl-A s       show the vCPU: registers, last instructions, counters',
  'Ctrl-A Ctrl-A  send Ctrl-A to the guest',
] as const;

export type KeyCommand = 'quit' | 'help' | 'reset' | 'state';
const COMMANDS: Readonly<Record<string, KeyCommand>> = { x: 'quit', h: 'help', '?': 'help', r: 'reset', s: 'state' };

/** Separates what is typed for the guest from commands that begin with Ctrl-A. An unknown command is typed for the guest, Ctrl-A included. */
export class EscapeKeys {
  #isEscaped = false;

  /** Bytes for the guest; `run` is called for each command on the way. */
  filter(typed: Uint8Array, run: (command: KeyCommand) => void): Uint8Array {
    const out: number[] = [];
    for (const byte of typed) {
      if (!this.#isEscaped) {
        if (byte === CTRL_A) this.#isEscaped = true;
        else out.push(byte);
        continue;
      }
      this.#isEscaped = false;
      const command = COMMANDS[String.fromCharCode(byte).toLowerCase()];
      if (command !== undefined) run(command);
      else if (byte === CTRL_A) out.push(CTRL_A);
      else out.push(CTRL_A, byte);
    }
    return Uint8Array.from(out);
  }
}
