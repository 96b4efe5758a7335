/* @hot: runs while the guest waits; indices are bounded by construction. */
import { CS, FS, GS } from '@vmm/isa';
import type { Form } from '@vmm/isa';
import { OpKind } from '@vmm/decoder';
import type { FlowBlock, Step } from './flow-graph.ts';

/**
 * Accesses near one base register share one look-up. A window is the range of bytes around a value of the register that code is going to touch; where
 * it is opened, one look-up says whether all of it lies in one page that may be used. If so each access is a load or store at a constant distance from
 * its host address, else each looks up by itself. Offsets count from the value the register had where the plan for it began.
 */
export interface Window { readonly base: number; low: number; high: number; writes: boolean; accesses: number }
/** To be done before an instruction: look up a window whose register is `adjustment` away from where its offsets count from. */
export interface Opening { readonly window: Window; readonly adjustment: number }

/** A window is at most so long: most then lie in one page. */
const MAX_BYTES = 256;
const SP = 4, BP = 5, AX = 0, DX = 2;
const ONLY_READ = new Set(['cmp', 'test', 'push', 'call', 'jmp', 'bt', 'mul', 'div', 'idiv', 'imul']);
const NO_ACCESS = new Set(['lea', 'nop']);
const WRITES_NO_REGISTER = new Set(['cmp', 'test', 'push', 'bt', 'jmp', 'call', 'nop']);
const WRITES_AX_DX = new Set(['mul', 'imul', 'div', 'idiv', 'cdq', 'cwd', 'cqo', 'cmpxchg']);

/** What windows want to know of instructions of a name: looked up for each of them, so found out once. */
interface Shape { readonly mnemonic: string; readonly mayMove: boolean; readonly hasMemory: boolean; readonly onlyReads: boolean; readonly writesNoRegister: boolean; readonly writesAxDx: boolean }
const MOVERS = new Set(['push', 'call', 'pop', 'ret', 'add', 'sub', 'lea']);
const SHAPES = new Map<string, Shape>();
function shapeOf({ mnemonic }: Form): Shape {
  const known = SHAPES.get(mnemonic);
  if (known !== undefined) return known;
  const shape = {
    mnemonic, mayMove: MOVERS.has(mnemonic), hasMemory: !NO_ACCESS.has(mnemonic), onlyReads: ONLY_READ.has(mnemonic),
    writesNoRegister: WRITES_NO_REGISTER.has(mnemonic), writesAxDx: WRITES_AX_DX.has(mnemonic),
  };
  SHAPES.set(mnemonic, shape);
  return shape;
}

interface Register { readonly adjustment: number; readonly window: Window | undefined }
const UNKNOWN: Register = { adjustment: 0, window: undefined };
/** By number; what nothing is known of is left out. */
type Registers = (Register | undefined)[];

/** How an instruction moves a register by a constant, as far as windows care: undefined for none. */
export function adjustmentOf(step: Step): { readonly register: number; readonly distance: number } | undefined {
  const { inst, form } = step, size = form.opSize, { mayMove, mnemonic } = shapeOf(form);
  if (!mayMove) return undefined;
  switch (mnemonic) {
    case 'push': case 'call': return { register: SP, distance: -size };
    case 'pop': return inst.opKind[0] === OpKind.gpr && inst.opReg[0] !== SP ? { register: SP, distance: size } : undefined;
    case 'ret': return { register: SP, distance: size + (inst.opCount > 0 ? inst.immLo & 0xffff : 0) };
    case 'add': case 'sub':
      if (inst.opKind[0] !== OpKind.gpr || inst.opSizeBytes[0] !== inst.mode / 8 || form.operands[1]?.kind !== 'imm') return undefined;
      return { register: inst.opReg[0]!, distance: mnemonic === 'add' ? inst.immLo : -inst.immLo };
    case 'lea':
      if (inst.base !== inst.opReg[0] || inst.index >= 0 || inst.opSizeBytes[0] !== inst.mode / 8 || inst.addrSize !== inst.mode / 8) return undefined;
      return { register: inst.base, distance: inst.disp };
    default: return undefined;
  }
}

/** Tells of each access near a register. */
function eachAccess({ inst, form }: Step, shape: Shape, tell: (base: number, offset: number, bytes: number, writes: boolean) => void): void {
  const size = form.opSize;
  switch (shape.mnemonic) {
    case 'push': case 'call': tell(SP, -size, size, true); break;
    case 'pop': case 'ret': tell(SP, 0, size, false); break;
    case 'leave': tell(BP, 0, size, false); break;
  }
  if (!shape.hasMemory || inst.base < 0 || inst.index >= 0 || inst.ripRelative || inst.seg === FS || inst.seg === GS || (inst.seg === CS && inst.mode !== 64) || inst.addrSize !== inst.mode / 8) return;
  for (let i = 0; i < inst.opCount; i++) {
    const bytes = inst.opSizeBytes[i]!;
    if (inst.opKind[i] === OpKind.mem && bytes > 0 && bytes <= 16) tell(inst.base, inst.disp, bytes, i === 0 && !shape.onlyReads);
  }
}

/** Forgets registers whose value is not known any more after an instruction, as far as it matters: what is forgotten here is found out when code is made. */
function forgetChanged({ inst }: Step, shape: Shape, moved: number, registers: Registers): void {
  const forget = (register: number): void => { if (register !== moved) registers[register] = undefined; };
  if (!shape.writesNoRegister) {
    if (inst.opKind[0] === OpKind.gpr) forget(inst.opReg[0]! & 15);
    else if (inst.opKind[0] === OpKind.gpr8h) forget(inst.opReg[0]! & 3);
    if (inst.opKind[1] === OpKind.gpr && (shape.mnemonic === 'xchg' || shape.mnemonic === 'xadd')) forget(inst.opReg[1]!);
  }
  if (shape.writesAxDx) { forget(AX); forget(DX); }
  if (shape.mnemonic === 'leave') { forget(SP); forget(BP); }
}

/**
 * Windows for a block that control can reach in several ways, and for all that only it leads to. `follow` gives a block's successors that nothing else
 * leads to.
 */
export function planWindows(root: FlowBlock, follow: (block: FlowBlock) => readonly FlowBlock[]): Map<Step, Opening[]> {
  const opened: { readonly step: Step; readonly opening: Opening }[] = [];
  let registers: Registers, step: Step;
  const tell = (base: number, offset: number, bytes: number, writes: boolean): void => {
    const { adjustment, window } = registers[base] ?? UNKNOWN, low = adjustment + offset, high = low + bytes;
    if (window === undefined) {
      const opening = { window: { base, low, high, writes, accesses: 1 }, adjustment };
      registers[base] = { adjustment, window: opening.window };
      opened.push({ step, opening });
    } else if (Math.max(window.high, high) - Math.min(window.low, low) <= MAX_BYTES) {
      window.low = Math.min(window.low, low);
      window.high = Math.max(window.high, high);
      window.writes ||= writes;
      window.accesses++;
    }
  };
  const walk = (block: FlowBlock, before: Registers): void => {
    const after = registers = before.slice();
    for (step of block.steps) {
      const shape = shapeOf(step.form);
      eachAccess(step, shape, tell);
      const moved = adjustmentOf(step), known = moved === undefined ? undefined : registers[moved.register];
      forgetChanged(step, shape, moved?.register ?? -1, registers);
      if (moved !== undefined && known !== undefined) registers[moved.register] = { adjustment: known.adjustment + moved.distance, window: known.window };
    }
    for (const next of follow(block)) walk(next, after);
  };
  walk(root, []);
  const openings = new Map<Step, Opening[]>();
  for (const { step: at, opening } of opened) {
    if (opening.window.accesses === 1) continue;
    const here = openings.get(at);
    if (here === undefined) openings.set(at, [opening]);
    else here.push(opening);
  }
  return openings;
}
