/* @hot: asked for every block that is decoded. */
import { codeKey, packRecipe, unpackRecipe } from './recipe.ts';
import type { Recipe } from './recipe.ts';

/** A recipe whose region is not in use, and after how many executions of its entry the region is wanted. */
interface Dormant { readonly recipe: Recipe; readonly executions: number }

/** What is kept of regions is a fraction of a kilobyte each. */
const MAX_RECIPES = 20_000, MAX_RECIPE_WORDS = 0x4000;
const MAGIC = 0x3152_4d56, HEADER_WORDS = 2;

/** Recipes of the regions there are and were, by content: the same code may come back elsewhere, or at the next start. */
export class RecipeStore {
  /** The oldest first. */
  readonly #all = new Map<string, Recipe>();
  readonly #dormant = new Map<number, Dormant[]>();

  get size(): number { return this.#all.size; }

  /** A region made so is in use. */
  use(recipe: Recipe): void {
    const name = nameOf(recipe);
    this.#all.delete(name);
    this.#all.set(name, recipe);
    this.forget(recipe);
    if (this.#all.size <= MAX_RECIPES) return;
    for (const [oldest, old] of this.#all) {
      this.#all.delete(oldest);
      this.forget(old);
      return;
    }
  }
  /** No region of it is in use. Where its code is found, so many executions are enough. */
  rest(recipe: Recipe, executions: number): void {
    this.forget(recipe);
    this.#dormant.set(recipe.key, [...this.#dormant.get(recipe.key) ?? [], { recipe, executions }]);
  }
  /** It is not to be expected (any more). */
  forget(recipe: Recipe): void {
    const known = this.#dormant.get(recipe.key);
    if (known === undefined) return;
    const left = known.filter((other) => nameOf(other.recipe) !== nameOf(recipe));
    if (left.length === 0) this.#dormant.delete(recipe.key);
    else this.#dormant.set(recipe.key, left);
  }

  /** What may belong to the code at a host address. */
  find(u8: Uint8Array, host: number, modeKey: number): Dormant | undefined { return this.#dormant.size === 0 ? undefined : this.#dormant.get(codeKey(u8, host, modeKey))?.[0]; }

  /** All of them: words in this machine's order, a header, then each recipe behind its length. */
  pack(): Uint8Array<ArrayBuffer> {
    const recipes = [...this.#all.values()].map(packRecipe);
    const words = new Int32Array(HEADER_WORDS + recipes.reduce((sum, recipe) => sum + 1 + recipe.length, 0));
    words.set([MAGIC, recipes.length]);
    let at = HEADER_WORDS;
    for (const recipe of recipes) {
      words[at] = recipe.length;
      words.set(recipe, at + 1);
      at += 1 + recipe.length;
    }
    return new Uint8Array(words.buffer);
  }
  /** Adds what was packed. What is not recipes is left out: nobody knows where the bytes have been. Answers how many were added. */
  load(bytes: Uint8Array, executions: number): number {
    // a copy, at the beginning of a buffer of its own
    const whole = new Uint8Array(bytes.length & ~3);
    whole.set(bytes.subarray(0, whole.length));
    const words = new Int32Array(whole.buffer);
    if (words[0] !== MAGIC) return 0;
    let added = 0;
    for (let at = HEADER_WORDS; at < words.length && added < MAX_RECIPES;) {
      const length = words[at]!;
      if (length <= 0 || length > MAX_RECIPE_WORDS || at + 1 + length > words.length) break;
      const recipe = unpackRecipe(words.slice(at + 1, at + 1 + length));
      at += 1 + length;
      if (recipe === undefined) continue;
      this.#all.set(nameOf(recipe), recipe);
      this.rest(recipe, executions);
      added++;
    }
    return added;
  }
}

const nameOf = ({ key, hash, modeKey }: Recipe): string => `${key}/${hash}/${modeKey}`;
