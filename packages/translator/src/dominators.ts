/* @hot: runs while the guest waits; indices are bounded by construction. */
import type { FlowBlock } from './flow-graph.ts';

/**
 * Order and nesting of a region's blocks, for structured control flow (Ramsey, "Beyond Relooper", ICFP 2022). Retreating edges into a block that
 * does not dominate their source (irreducible flow) are cut: they leave the region through the dispatcher.
 */
export interface Structure {
  /** Block ids in reverse postorder; unreachable blocks are left out. */
  readonly order: readonly number[];
  /** Position of each block in `order`, -1 unreachable. */
  readonly position: Int32Array;
  readonly isLoopHeader: Uint8Array;
  /** Two or more forward edges come in: the block needs a label of its own. */
  readonly isMerge: Uint8Array;
  /** Children in the dominator tree, by block id. */
  readonly children: readonly (readonly number[])[];
  /** Edges (source id * blocks + target id) to be cut. */
  readonly cut: ReadonlySet<number>;
}

export function analyse(blocks: readonly FlowBlock[]): Structure {
  const count = blocks.length;
  const byDelta = new Map(blocks.map((block) => [block.delta, block.id]));
  const successors = blocks.map((block) => block.targets.map((delta) => byDelta.get(delta)).filter((id) => id !== undefined));
  const order = reversePostorder(successors);
  const position = new Int32Array(count).fill(-1);
  order.forEach((id, i) => { position[id] = i; });
  const predecessors: number[][] = blocks.map(() => []);
  for (const id of order) for (const target of new Set(successors[id])) predecessors[target]!.push(id);
  const dominator = immediateDominators(order, position, predecessors);
  const dominates = (a: number, b: number): boolean => {
    for (let at = b; ;) {
      if (at === a) return true;
      const up = dominator[at]!;
      if (up === at) return false;
      at = up;
    }
  };
  const isLoopHeader = new Uint8Array(count), forward = new Int32Array(count), isMerge = new Uint8Array(count);
  const cut = new Set<number>();
  for (const id of order) {
    for (const target of successors[id]!) {
      if (position[target]! > position[id]!) forward[target]!++;
      else if (dominates(target, id)) isLoopHeader[target] = 1;
      else cut.add(id * count + target);
    }
  }
  const children: number[][] = blocks.map(() => []);
  for (const id of order) {
    if (forward[id]! > 1) isMerge[id] = 1;
    if (dominator[id] !== id) children[dominator[id]!]!.push(id);
  }
  return { order, position, isLoopHeader, isMerge, children, cut };
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const seen = new Uint8Array(successors.length);
  const post: number[] = [];
  const stack: { id: number; next: number }[] = [{ id: 0, next: 0 }];
  seen[0] = 1;
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = successors[top.id]![top.next++];
    if (next === undefined) { post.push(top.id); stack.pop(); } else if (seen[next] === 0) { seen[next] = 1; stack.push({ id: next, next: 0 }); }
  }
  return post.reverse();
}

/** Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm". */
function immediateDominators(order: readonly number[], position: Int32Array, predecessors: readonly (readonly number[])[]): Int32Array {
  const dominator = new Int32Array(position.length).fill(-1);
  dominator[0] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (const id of order) {
      if (id === 0) continue;
      let best = -1;
      for (const p of predecessors[id]!) {
        if (dominator[p]! < 0) continue;
        best = best < 0 ? p : intersect(p, best, dominator, position);
      }
      if (dominator[id] !== best) { dominator[id] = best; changed = true; }
    }
  }
  return dominator;
}
function intersect(a: number, b: number, dominator: Int32Array, position: Int32Array): number {
  let x = a, y = b;
  while (x !== y) {
    while (position[x]! > position[y]!) x = dominator[x]!;
    while (position[y]! > position[x]!) y = dominator[y]!;
  }
  return x;
}
