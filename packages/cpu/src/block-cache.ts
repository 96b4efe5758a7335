/* @hot: words of machine memory by computed index. */
import { decode, Instruction, NEED_MORE, TOO_LONG } from '@vmm/decoder';
import type { Row } from '@vmm/decoder';
import type { StateView } from '@vmm/state';
import { forgetJumps, STATE, VCPU_LAYOUT } from '@vmm/state';
import { BlockTable, executionsOf } from './block-table.ts';
import { CodePages } from './code-pages.ts';
import type { CodeUnit } from './code-pages.ts';
import type { HandlerTable } from './handlers.ts';
import { lower, PROTECTION, STI_LAST, UNDEFINED } from './lower.ts';
import type { Lowered } from './lower.ts';
import { isPlain, quickKey, writeRecord } from './lowering.ts';
import { codeSizeOf, MODE } from './mode.ts';
import { BLOCK_HEADER, RECORD } from './record.ts';

const PAGE = 4096;
const MAX_INSTRUCTIONS = 64;
/** Mode keys are below this. */
const MODE_KEYS = 512;
/** Names the code at a host address in a mode. */
export const blockKey = (host: number, modeKey: number): number => host * MODE_KEYS + modeKey;
/** A few slices. */
const QUICK_MS = 5;
/** Far more executions than a block sees between two translations. */
const NEVER_HOT = 0x7fff_ffff;
const LONGEST_INSTRUCTION = 15;
const CACHE_LINE = 64;

interface Block extends CodeUnit {
  readonly host: number;
  readonly modeKey: number;
  /** First record. */
  readonly records: number;
  readonly bytes: number;
  readonly instructions: number;
  /** Behind its last instruction's record. */
  readonly end: number;
  /** Bytes from its start to the limit of CS for which it was decoded, at least and at most. */
  readonly leastRoom: number;
  readonly mostRoom: number;
  /** Host address of the second page's start where the one instruction of this block crosses a page, else 0. */
  readonly crossing: number;
  /** When its executions began to be counted. */
  sinceMs: number;
  /** It is known to become hot: the countdown at hand is all it takes. */
  isExpected: boolean;
}

export interface BlockCacheOptions {
  readonly state: StateView;
  readonly privateBase: number;
  readonly handlers: HandlerTable;
  /** Host address for fetching at a linear address, 0 with a recorded fault. */
  fetch(lo: number, hi: number): number;
  protectCode(host: number): void;
  unprotectCode(host: number): void;
  /** Whether the CPU model has a row's feature. */
  readonly hasFeature: (row: Row) => boolean;
}

export interface BlockCounters { decodedBlocks: number; decodedInstructions: number; killedBlocks: number; flushes: number; lookups: number }

/**
 * Decoded blocks by physical (host) address and mode. The interpreter finds them in a hash table in machine memory; this class fills it,
 * and takes blocks out when their bytes are written.
 */
export class BlockCache {
  readonly counters: BlockCounters = { decodedBlocks: 0, decodedInstructions: 0, killedBlocks: 0, flushes: 0, lookups: 0 };
  readonly #o: BlockCacheOptions;
  readonly #data: DataView;
  readonly #u8: Uint8Array;
  readonly #i32: Int32Array;
  readonly #inst = new Instruction();
  /** Undefined: a block that died. Keys stay: V8's maps search through what was deleted under the same key until they grow. */
  readonly #blocks = new Map<number, Block | undefined>();
  readonly #table: BlockTable;
  readonly #pages: CodePages;
  /** Table slot of the translated region for a key. */
  readonly #regions = new Map<number, number>();
  /** Executions after which a block is hot. */
  hotThreshold = NEVER_HOT;
  /** So many of them make it hot too if they take no longer than `QUICK_MS`: a loop that runs now. */
  quickThreshold = NEVER_HOT;
  /** Executions after which a block that is being decoded is wanted by the translator, which knows its code; 0 if it does not. */
  expects: ((host: number, modeKey: number) => number) | undefined;
  /** Handler by quick key. */
  readonly #handlerOf = new Map<number, { number: number; ends: boolean }>();
  readonly #straddle = new Uint8Array(LONGEST_INSTRUCTION + 1);
  #free: number;
  readonly #end: number;

  constructor(options: BlockCacheOptions) {
    this.#o = options;
    this.#pages = new CodePages((host) => { options.protectCode(host); }, (host) => { options.unprotectCode(host); });
    const { state, privateBase } = options;
    this.#data = state.data;
    this.#u8 = state.u8;
    this.#i32 = state.i32;
    this.#free = privateBase + VCPU_LAYOUT.records;
    this.#end = this.#free + VCPU_LAYOUT.recordsBytes;
    this.#table = new BlockTable(state.i32, privateBase);
    this.#table.clear();
  }

  /** Forget everything. Only between blocks. */
  flush(): void {
    this.counters.flushes++;
    this.#pages.killAll();
    this.#blocks.clear();
    this.#table.clear();
    this.#free = this.#o.privateBase + VCPU_LAYOUT.records;
  }

  /** The records are full: the interpreter's blocks go, regions stay. Only between blocks. */
  #discardBlocks(): void {
    this.counters.flushes++;
    for (const block of [...this.#blocks.values()]) {
      if (block === undefined) continue;
      this.#pages.leave(block.host, block);
      if (block.crossing !== 0) this.#pages.leave(block.crossing, block);
    }
    this.#blocks.clear();
    this.#table.clear();
    this.#free = this.#o.privateBase + VCPU_LAYOUT.records;
  }

  /** Makes the hash table lead to what runs at state.rip, whose code lies at `host`. 0 if fetching faulted. */
  lookup(host: number): number {
    this.counters.lookups++;
    const modeKey = this.#o.state.get('modeKey');
    const key = blockKey(host, modeKey);
    const region = this.#regions.get(key);
    if (region !== undefined) { this.#table.point(host, modeKey, 0, region); return 1; }
    const block = this.#interpreted(host, modeKey, key);
    if (block === undefined) return 0;
    this.#table.point(host, modeKey, block.records);
    return block.records;
  }

  /** First record of the interpreter's block, whether or not a region stands in for it. */
  interpreted(host: number): number {
    const modeKey = this.#o.state.get('modeKey');
    return this.#interpreted(host, modeKey, blockKey(host, modeKey))?.records ?? 0;
  }

  #interpreted(host: number, modeKey: number, key: number): Block | undefined {
    let block = this.#blocks.get(key);
    if (block?.crossing !== undefined && block.crossing !== 0) {
      const second = this.#fetchSecondPage(host);
      if (second === 0) return undefined;
      if (second !== block.crossing) { this.#kill(block); block = undefined; }
    }
    if (block !== undefined && (modeKey & MODE.LIMITED) !== 0) {
      const room = this.#room();
      if (room < block.leastRoom || room > block.mostRoom) { this.#kill(block); block = undefined; }
    }
    return block ?? this.#decode(host, modeKey, key);
  }

  /** How often the interpreter has executed the block at a host address in a mode since it was decoded or counted anew. */
  executions(host: number, modeKey: number): number {
    const block = this.#blocks.get(blockKey(host, modeKey));
    return block === undefined ? 0 : executionsOf(this.#i32, block.records);
  }
  /** A block's countdown has ended: whether it is hot, or is to be counted on. */
  isHot(host: number, modeKey: number): boolean {
    const block = this.#blocks.get(blockKey(host, modeKey));
    if (block === undefined) return false;
    const executions = executionsOf(this.#i32, block.records), left = this.hotThreshold - executions;
    if (block.isExpected || left <= 0 || performance.now() - block.sinceMs <= QUICK_MS) {
      block.isExpected = false;
      return true;
    }
    this.#count(block, left, executions);
    return false;
  }
  /** The block is hot after so many executions, whatever it had. */
  expect(host: number, modeKey: number, executions: number): void {
    const block = this.#blocks.get(blockKey(host, modeKey));
    if (block === undefined) return;
    block.isExpected = true;
    this.#count(block, executions);
  }
  /** Reports the block after so many more executions; it has had some already. */
  #count(block: Block, left: number, executions = 0): void {
    const header = block.records - BLOCK_HEADER.sizeBytes >> 2;
    this.#i32[header + (BLOCK_HEADER.heat >> 2)] = left;
    this.#i32[header + (BLOCK_HEADER.total >> 2)] = left + executions;
  }

  /** Count a block's executions anew. */
  reheat(host: number, modeKey: number): void {
    const block = this.#blocks.get(blockKey(host, modeKey));
    if (block === undefined) return;
    block.sinceMs = performance.now();
    block.isExpected = false;
    this.#count(block, this.quickThreshold);
  }

  /** Let a translated region stand in for the block at `host`; its function is in table slot `slot`. */
  installRegion(host: number, modeKey: number, slot: number): void {
    const key = blockKey(host, modeKey), block = this.#blocks.get(key);
    this.#regions.set(key, slot);
    if (block !== undefined) this.#setReachable(block, false);
    this.#table.point(host, modeKey, 0, slot);
  }
  removeRegion(host: number, modeKey: number): void {
    const key = blockKey(host, modeKey);
    if (!this.#regions.delete(key)) return;
    // pages stay marked: regions trust their mappings
    forgetJumps(this.#o.state, this.#o.privateBase);
    this.#table.unpoint(host, modeKey);
    const block = this.#blocks.get(key);
    if (block !== undefined) this.#setReachable(block, true);
  }
  /** Whether a block may be entered from the one before without a look-up. */
  #setReachable(block: Block, isReachable: boolean): void { this.#i32[block.records - BLOCK_HEADER.sizeBytes + BLOCK_HEADER.host >> 2] = isReachable ? block.host : 0; }
  /** Table slot of the region that stands in for a block, or 0. */
  regionAt(host: number, modeKey: number): number { return this.#regions.get(blockKey(host, modeKey)) ?? 0; }

  /** The unit's code lies (also) on this page: stores there are watched, and tell it. */
  watch(host: number, unit: CodeUnit): void { this.#pages.enter(host, unit); }
  unwatch(host: number, unit: CodeUnit): void { this.#pages.leave(host, unit); }

  /** Bytes from state.rip to the limit of CS. */
  #room(): number {
    const { state } = this.#o;
    return Math.max(0, (this.#i32[(state.base + STATE.segment >> 2) + 6]! >>> 0) + 1 - state.number('rip'));
  }

  /** The page after the one that state.rip is in. */
  #fetchSecondPage(host: number): number {
    const { state } = this.#o;
    const rest = PAGE - (host & PAGE - 1);
    const base = (state.base + STATE.segment >> 2) + 4;
    let lo = (state.lo('rip') >>> 0) + (this.#i32[base]! >>> 0);
    let hi = state.hi('rip') + this.#i32[base + 1]! + (lo > 0xffff_ffff ? 1 : 0);
    lo = (lo >>> 0) + rest;
    hi = hi + (lo > 0xffff_ffff ? 1 : 0) & state.hi('linearMask');
    return this.#o.fetch(lo | 0, hi);
  }

  #decode(host: number, modeKey: number, key: number): Block | undefined {
    const worst = CACHE_LINE + BLOCK_HEADER.sizeBytes + (MAX_INSTRUCTIONS + 3) * RECORD.sizeBytes;
    if (this.#free + worst > this.#end) this.#discardBlocks();
    const room = (modeKey & MODE.LIMITED) === 0 ? Infinity : this.#room();
    const limit = Math.min(host - (host & PAGE - 1) + PAGE, host + room);
    const single = (modeKey & MODE.SINGLE_STEP) !== 0;
    const mode = codeSizeOf(modeKey);
    // the header and the first record lie in one line of the host's cache: blocks that run seldom wait for each line
    const first = Math.ceil(this.#free / CACHE_LINE) * CACHE_LINE + BLOCK_HEADER.sizeBytes;
    const inst = this.#inst;
    const codeAt = room === Infinity ? first : first + RECORD.sizeBytes;
    let at = codeAt, pc = host, count = 0, crossing = 0, refusedBytes = 0, isShadowOpen = false;
    while (count < MAX_INSTRUCTIONS) {
      let length = decode(this.#u8, pc, limit, mode, inst);
      if (length === NEED_MORE && count > 0) break;
      if (length === NEED_MORE && limit - host < room) {
        // the instruction crosses into the next page: assemble its bytes, and let it be a block of its own
        const rest = limit - pc;
        const second = this.#fetchSecondPage(host);
        if (second === 0) return undefined;
        this.#straddle.set(this.#u8.subarray(pc, limit));
        this.#straddle.set(this.#u8.subarray(second, second + LONGEST_INSTRUCTION + 1 - rest), rest);
        crossing = second;
        at = this.#writeGuard(at, this.#o.handlers.crossingCheck, second);
        length = decode(this.#straddle, 0, Math.min(LONGEST_INSTRUCTION + 1, room), mode, inst);
      }
      let handler: number, ends = true;
      if (length > 0) {
        ({ number: handler, ends } = this.#handler(inst, modeKey));
      } else {
        // raises #UD (or #GP for more than 15 bytes, or some beyond the limit of CS) when it runs, not when it is decoded
        handler = this.#special(length === TOO_LONG || length === NEED_MORE ? PROTECTION : UNDEFINED);
        inst.length = 0;
        inst.opCount = 0;
        length = 0;
        // other bytes there may make it an instruction
        refusedBytes = LONGEST_INSTRUCTION;
      }
      pc += length;
      writeRecord(this.#data, at, inst, handler, pc - host);
      at += RECORD.sizeBytes;
      count++;
      isShadowOpen = inst.row.mnemonic === 'sti' && length > 0;
      if (ends || single || crossing !== 0 || pc >= limit) break;
    }
    // its interrupt shadow is the next instruction's, which is elsewhere
    if (isShadowOpen) this.#data.setUint16(at - RECORD.sizeBytes, this.#special(STI_LAST), true);
    this.#writeEnd(at, pc - host);
    const bytes = pc - host, instructions = count;
    // where the limit is so near that other bytes might count, the block is for this distance alone
    const isNear = room < bytes + LONGEST_INSTRUCTION, leastRoom = isNear ? room : bytes + LONGEST_INSTRUCTION, mostRoom = isNear ? room : Infinity;
    if (codeAt !== first) this.#writeGuard(first, this.#o.handlers.limitCheck, leastRoom, isNear ? 0 : -1);
    const block: Block = {
      host, modeKey, records: first, bytes, instructions, end: at, leastRoom, mostRoom, crossing, sinceMs: performance.now(), isExpected: false,
      overlaps: (at, size) => (at < host + bytes + refusedBytes && at + size > host) || (crossing !== 0 && at < crossing + LONGEST_INSTRUCTION && at + size > crossing),
      kill: () => { this.#kill(block); },
    };
    const header = first - BLOCK_HEADER.sizeBytes >> 2;
    this.#i32.fill(0, header, first >> 2);
    this.#i32[header + BLOCK_HEADER.instructions] = count;
    this.#setReachable(block, !this.#regions.has(key));
    this.#i32[header + (BLOCK_HEADER.modeKey >> 2)] = modeKey;
    const expected = this.expects?.(host, modeKey) ?? 0;
    block.isExpected = expected > 0;
    this.#count(block, expected > 0 ? expected : this.quickThreshold);
    this.#i32[header + (BLOCK_HEADER.last >> 2)] = at;
    this.#free = at + RECORD.sizeBytes;
    this.#blocks.set(key, block);
    this.#pages.enter(host, block);
    if (crossing !== 0) this.#pages.enter(crossing, block);
    this.counters.decodedBlocks++;
    this.counters.decodedInstructions += count;
    return block;
  }

  /** A record that checks what its block takes for granted, in front of it. */
  #writeGuard(at: number, handler: number, low: number, high = 0): number {
    this.#i32.fill(0, at >> 2, at + RECORD.sizeBytes >> 2);
    this.#data.setUint16(at, handler, true);
    this.#data.setInt32(at + RECORD.immediate, low, true);
    this.#data.setInt32(at + RECORD.immediate + 4, high, true);
    return at + RECORD.sizeBytes;
  }

  #writeEnd(at: number, end: number): void {
    this.#data.setUint32(at, end << 16, true);
    this.#data.setUint32(at + 4, 0, true);
  }

  /** What an instruction means to this CPU in this mode. */
  lower(inst: Instruction, modeKey: number): Lowered { return lower(inst, modeKey, this.#o.hasFeature); }

  #handler(inst: Instruction, modeKey: number): { number: number; ends: boolean } {
    const plain = isPlain(inst, modeKey), quick = quickKey(inst, modeKey) * 2 + (plain ? 1 : 0);
    let known = this.#handlerOf.get(quick);
    if (known === undefined) {
      const { entry, form } = this.lower(inst, modeKey);
      // what stays with the interpreter ends its block, so that the code behind it can be translated
      known = { number: this.#o.handlers.numberFor(form, entry, plain), ends: (entry.ends ?? inst.row.endsBlock) !== false || inst.row.cpl0 };
      this.#handlerOf.set(quick, known);
    }
    return known;
  }
  #special(kind: Lowered): number { return this.#o.handlers.numberFor(kind.form, kind.entry); }

  /** Bytes of a code page are about to be written: what was made of them dies. A dying block that is running leaves at its next record. */
  written(host: number, size: number): void { this.#pages.written(host, size); }

  #kill(block: Block): void {
    this.counters.killedBlocks++;
    this.#blocks.set(blockKey(block.host, block.modeKey), undefined);
    if (!this.#regions.has(blockKey(block.host, block.modeKey))) this.#table.unpoint(block.host, block.modeKey);
    this.#setReachable(block, false);
    for (let at = block.records; at < block.end; at += RECORD.sizeBytes) this.#data.setUint16(at, 0, true);
    this.#pages.leave(block.host, block);
    if (block.crossing !== 0) this.#pages.leave(block.crossing, block);
  }

  /** The block that a record belongs to, if it is still there. */
  blockOf(record: number): { host: number; bytes: number; modeKey: number } | undefined {
    for (const block of this.#blocks.values()) if (block !== undefined && record >= block.records && record < block.end) return block;
    return undefined;
  }
}
