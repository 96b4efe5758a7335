import { cpuModel, MODE } from '@vmm/cpu';
import { VmmError } from '@vmm/spec';
import { RegionTranslator } from '@vmm/translator';
import { bootMachine } from '../boot-image.ts';
import { CPU_MODEL_NAMES } from '../cpu-models.ts';
import { Leader } from '../lockstep/leader.ts';
import { InputTape } from '../lockstep/tape.ts';
import { resolveOptions } from '../options.ts';
import type { MachineOptions } from '../options.ts';
import type { ExplainOptions } from './explain.ts';

export interface GuestCodeOptions extends Pick<MachineOptions, 'boot' | 'memory' | 'cpu'> {
  /** How far the guest runs before its memory is read. */
  readonly instructions: number;
  /** Linear. Default: where it is then. */
  readonly address?: bigint;
  readonly lengthBytes?: number;
}

const PAGE = 4096, EXECUTE = 2, SLICE = 5_000_000;

/** Runs a guest on a counted clock and takes code out of it. */
export function guestCode(options: GuestCodeOptions): ExplainOptions {
  const { boot, memory, cpu } = options;
  const config = resolveOptions({ boot, name: 'explain', ...(memory === undefined ? {} : { memory }), ...(cpu === undefined ? {} : { cpu }) }, 1, CPU_MODEL_NAMES);
  const model = cpuModel(config.cpu), tape = new InputTape();
  const leader = new Leader({
    memoryBytes: config.memoryBytes, romBytes: 0x10_0000, model, instructionsPerSecond: 1e8, tape,
    createTranslator: (context) => new RegionTranslator(context), onSerial: () => {},
  });
  leader.boot(bootMachine({ config, memory: leader.memory, model }).state);
  while (leader.vcpu.instructions < options.instructions) {
    tape.clear();
    if (leader.slice(Math.min(SLICE, options.instructions - leader.vcpu.instructions)) !== 'running') break;
  }
  const { state } = leader.vcpu, size = state.get('modeKey') & MODE.CODE_SIZE;
  if (size === MODE.CODE16) throw new VmmError('OPTION_INVALID', 'Cannot explain 16-bit code', { hint: 'It is always interpreted. Run the guest further: --after.' });
  const address = options.address ?? BigInt.asUintN(64, state.big('rip') + state.big('segment', 2));
  return { bytes: readLinear(leader, address, options.lengthBytes ?? PAGE), address, bits: size === MODE.CODE64 ? 64 : 32, ring: state.get('cpl') === 3 ? 3 : 0 };
}

/** As much as is mapped and executable, a page at least. */
function readLinear({ vcpu, memory }: Leader, address: bigint, lengthBytes: number): Uint8Array {
  const bytes: number[] = [];
  for (let at = address; at < address + BigInt(lengthBytes);) {
    const gpa = vcpu.mmu.probe(Number(at & 0xffff_ffffn) | 0, Number(BigInt.asIntN(32, at >> 32n)), EXECUTE);
    const length = Math.min(PAGE - Number(at & 0xfffn), Number(address + BigInt(lengthBytes) - at));
    if (gpa < 0 || gpa + length > memory.ramBytes) break;
    bytes.push(...memory.guest.readBytes(gpa, length));
    at += BigInt(length);
  }
  if (bytes.length === 0) throw new VmmError('OPTION_INVALID', `Cannot read code at 0x${address.toString(16)}`, { hint: 'The guest has not mapped it (yet): try --after with more instructions.' });
  return Uint8Array.from(bytes);
}
