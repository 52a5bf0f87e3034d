// A value that views watch. The page's whole state lives in a few of these.
import { useLayoutEffect, useState } from 'preact/hooks';

export class Store<T> {
  #value: T;
  #watchers = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get(): T {
    return this.#value;
  }

  set(value: T): void {
    if (value === this.#value) return;
    this.#value = value;
    for (const watcher of [...this.#watchers]) watcher();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  /** Calls on every change; returns what ends it. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

/** The store's value; the component is drawn again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, redraw] = useState(0);
  // Before the browser does anything else: a change right after the first picture must not be missed.
  useLayoutEffect(() => store.watch(() => redraw((count) => count + 1)), [store]);
  return store.get();
}
