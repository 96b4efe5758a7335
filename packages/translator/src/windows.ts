/* @hot: runs while the guest waits; indices are bounded by construction. */
import { CS, FS, GS } from '@vmm/isa';
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

interface Access { readonly base: number; readonly offset: number; readonly bytes: number; readonly writes: boolean }
interface Register { readonly adjustment: number; readonly window: Window | undefined }

/** How an instruction moves a register by a constant, as far as windows care: undefined for none. */
export function adjustmentOf(step: Step): { readonly register: number; readonly distance: number } | undefined {
  const { inst, form } = step, size = form.opSize;
  switch (inst.row.mnemonic) {
    case 'push': case 'call': return { register: SP, distance: -size };
    case 'pop': return inst.opKind[0] === OpKind.gpr && inst.opReg[0] !== SP ? { register: SP, distance: size } : undefined;
    case 'ret': return { register: SP, distance: size + (inst.opCount > 0 ? inst.immLo & 0xffff : 0) };
    case 'add': case 'sub':
      if (inst.opKind[0] !== OpKind.gpr || inst.opSizeBytes[0] !== inst.mode / 8 || form.operands[1]?.kind !== 'imm') return undefined;
      return { register: inst.opReg[0]!, distance: inst.row.mnemonic === 'add' ? inst.immLo : -inst.immLo };
    case 'lea':
      if (inst.base !== inst.opReg[0] || inst.index >= 0 || inst.opSizeBytes[0] !== inst.mode / 8 || inst.addrSize !== inst.mode / 8) return undefined;
      return { register: inst.base, distance: inst.disp };
    default: return undefined;
  }
}

function* accessesOf(step: Step): Generator<Access> {
  const { inst, form } = step, { mnemonic } = inst.row, size = form.opSize;
  switch (mnemonic) {
    case 'push': case 'call': yield { base: SP, offset: -size, bytes: size, writes: true }; break;
    case 'pop': case 'ret': yield { base: SP, offset: 0, bytes: size, writes: false }; break;
    case 'leave': yield { base: BP, offset: 0, bytes: size, writes: false }; break;
  }
  if (NO_ACCESS.has(mnemonic) || inst.base < 0 || inst.index >= 0 || inst.ripRelative || inst.seg === FS || inst.seg === GS || (inst.seg === CS && inst.mode !== 64) || inst.addrSize !== inst.mode / 8) return;
  for (let i = 0; i < inst.opCount; i++) {
    const bytes = inst.opSizeBytes[i]!;
    if (inst.opKind[i] === OpKind.mem && bytes > 0 && bytes <= 16) yield { base: inst.base, offset: inst.disp, bytes, writes: i === 0 && !ONLY_READ.has(mnemonic) };
  }
}

/** Registers whose value is not known any more after an instruction, as far as it matters: what is forgotten here is found out when code is made. */
function changedBy(step: Step): readonly number[] {
  const { inst } = step, { mnemonic } = inst.row;
  const changed: number[] = [];
  if (!WRITES_NO_REGISTER.has(mnemonic)) {
    if (inst.opKind[0] === OpKind.gpr || inst.opKind[0] === OpKind.gpr8h) changed.push(inst.opReg[0]! & (inst.opKind[0] === OpKind.gpr8h ? 3 : 15));
    if ((mnemonic === 'xchg' || mnemonic === 'xadd') && inst.opKind[1] === OpKind.gpr) changed.push(inst.opReg[1]!);
  }
  if (WRITES_AX_DX.has(mnemonic)) changed.push(AX, DX);
  if (mnemonic === 'leave') changed.push(SP, BP);
  return changed;
}

/**
 * Windows for a block that control can reach in several ways, and for all that only it leads to. `follow` gives a block's successors that nothing else
 * leads to.
 */
export function planWindows(root: FlowBlock, follow: (block: FlowBlock) => readonly FlowBlock[]): Map<Step, Opening[]> {
  const openings = new Map<Step, Opening[]>();
  const walk = (block: FlowBlock, before: ReadonlyMap<number, Register>): void => {
    const registers = new Map(before);
    for (const step of block.steps) {
      for (const access of accessesOf(step)) {
        const { adjustment, window } = registers.get(access.base) ?? { adjustment: 0, window: undefined };
        const low = adjustment + access.offset, high = low + access.bytes;
        if (window === undefined) {
          const opened: Window = { base: access.base, low, high, writes: access.writes, accesses: 1 };
          registers.set(access.base, { adjustment, window: opened });
          const here = openings.get(step);
          if (here === undefined) openings.set(step, [{ window: opened, adjustment }]);
          else here.push({ window: opened, adjustment });
        } else if (Math.max(window.high, high) - Math.min(window.low, low) <= MAX_BYTES) {
          window.low = Math.min(window.low, low);
          window.high = Math.max(window.high, high);
          window.writes ||= access.writes;
          window.accesses++;
        }
      }
      const moved = adjustmentOf(step);
      for (const register of changedBy(step)) if (register !== moved?.register) registers.delete(register);
      if (moved !== undefined) {
        const known = registers.get(moved.register);
        if (known !== undefined) registers.set(moved.register, { adjustment: known.adjustment + moved.distance, window: known.window });
      }
    }
    for (const next of follow(block)) walk(next, registers);
  };
  walk(root, new Map());
  for (const [step, here] of openings) {
    const worthwhile = here.filter(({ window }) => window.accesses > 1);
    if (worthwhile.length > 0) openings.set(step, worthwhile);
    else openings.delete(step);
  }
  return openings;
}
