import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { CPU_MODEL_NAMES, createMachine, VmmError } from '@vmm/runtime';
import type { Machine, MachineExit, Place } from '@vmm/runtime';
import { loadBoot } from './boot-source.ts';

/** The page: one form, one terminal, one machine at a time. `?kernel=URL&initrd=URL&append=…&memory=…&cpu=…&translator=vcpu|worker` boots at once. */
const terminal = new Terminal({ convertEol: false, cursorBlink: true, scrollback: 10_000 });
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(element('#terminal'));
fit.fit();
addEventListener('resize', () => { fit.fit(); });

const form = element('#machine') as HTMLFormElement;
const status = element('#status');
const address = new URLSearchParams(location.search);
let machine: Machine | undefined;
(globalThis as unknown as { vmmTranscript: string }).vmmTranscript = '';

const cpuList = field('cpu') as unknown as HTMLSelectElement;
cpuList.append(...CPU_MODEL_NAMES.map((name) => new Option(name)));
for (const name of ['append', 'memory', 'cpu']) field(name).value = address.get(name) ?? field(name).value;

terminal.onData((typed) => { void machine?.serial.write(typed); });
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void boot();
});
button('pause').addEventListener('click', () => { void (machine?.status === 'paused' ? machine.resume() : machine?.pause()); });
button('reset').addEventListener('click', () => { void machine?.reset(); });
button('stop').addEventListener('click', () => { void machine?.stop(); });
if (address.has('kernel') || address.get('guest') === 'nano') void boot();

async function boot(): Promise<void> {
  try {
    await machine?.close();
    say('loading');
    const image = await loadBoot({
      kernelFile: fileOf('kernelFile'), initrdFile: fileOf('initrdFile'), append: field('append').value,
      kernelUrl: address.get('kernel') ?? undefined, initrdUrl: address.get('initrd') ?? undefined,
    }, say);
    const translator = address.get('translator') as Place | null;
    const made = machine = createMachine({ boot: image, memory: field('memory').value, cpu: field('cpu').value, placement: translator === null ? 'auto' : { translator } });
    (globalThis as unknown as { vmmMachine: Machine }).vmmMachine = made; // for the console
    follow(made);
    await made.start();
    terminal.focus();
  } catch (error) {
    say(error instanceof VmmError ? `${error.message}. ${error.hint ?? ''}` : String(error), true);
  }
}

/** Shows what the machine does, until it has ended. `globalThis.vmmTranscript` is its whole output, for tests and for copying. */
function follow(made: Machine): void {
  const decoder = new TextDecoder();
  const page = globalThis as unknown as { vmmTranscript: string };
  page.vmmTranscript = '';
  made.serial.onData((data) => {
    page.vmmTranscript += decoder.decode(data, { stream: true });
    terminal.write(data);
  });
  made.events.on('started', () => { say('running'); });
  made.events.on('paused', () => { say('paused'); });
  made.events.on('resumed', () => { say('running'); });
  made.events.on('reset', ({ cause }) => { say(`reset: ${cause}`); });
  made.events.on('exit', (exit) => {
    setRunning(false);
    say(describeExit(exit), exit.reason === 'error' || exit.reason === 'triple-fault');
  });
  setRunning(true);
}

function describeExit(exit: MachineExit): string {
  if (exit.reason === 'error') return exit.error.message;
  return exit.reason === 'triple-fault' ? `triple fault at rip ${exit.dump.registers['rip'] ?? '?'}` : exit.reason;
}

function say(message: string, isError = false): void {
  status.textContent = message;
  status.className = isError ? 'error' : '';
}

function setRunning(isRunning: boolean): void {
  for (const name of ['pause', 'reset', 'stop']) button(name).disabled = !isRunning;
}

function element(selector: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

function field(name: string): HTMLInputElement {
  return form.elements.namedItem(name) as HTMLInputElement;
}

function button(name: string): HTMLButtonElement {
  return form.elements.namedItem(name) as HTMLButtonElement;
}

function fileOf(name: string): File | undefined {
  return field(name).files?.[0];
}
