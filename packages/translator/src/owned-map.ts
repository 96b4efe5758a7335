/** Values by key that go with their owner. Whoever sets a key last owns it. */
export class OwnedMap<Owner extends object, Value> {
  readonly #entries = new Map<number, { readonly owner: Owner; readonly value: Value }>();
  readonly #keys = new Map<Owner, Set<number>>();

  get size(): number { return this.#entries.size; }
  has(key: number): boolean { return this.#entries.has(key); }
  get(key: number): Value | undefined { return this.#entries.get(key)?.value; }
  ownerOf(key: number): Owner | undefined { return this.#entries.get(key)?.owner; }

  set(owner: Owner, key: number, value: Value): void {
    this.delete(key);
    this.#entries.set(key, { owner, value });
    const keys = this.#keys.get(owner);
    if (keys === undefined) this.#keys.set(owner, new Set([key]));
    else keys.add(key);
  }
  delete(key: number): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    const keys = this.#keys.get(entry.owner);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(entry.owner);
  }
  /** The owner is gone. */
  release(owner: Owner): void {
    for (const key of this.#keys.get(owner) ?? []) this.#entries.delete(key);
    this.#keys.delete(owner);
  }
}
