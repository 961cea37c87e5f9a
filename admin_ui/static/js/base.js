// What every module draws with: Preact and htm from one file, and the two small things that file lacks.

import { html, render, useEffect, useMemo, useRef, useState, useCallback, useLayoutEffect, useErrorBoundary } from "../vendor/htm-preact.js";

export { html, render, useEffect, useMemo, useRef, useState, useCallback, useLayoutEffect, useErrorBoundary };

let ids = 0;

/** An id that no other element has, for labels. */
export function useId() {
  const id = useRef("");
  if (!id.current) id.current = `w${++ids}`;
  return id.current;
}

/**
 * A value that many look at: who subscribes is told of each change.
 * @template T
 */
export class Shared {
  /** @param {T} value */
  constructor(value) {
    this.value = value;
    /** @type {Set<() => void>} */
    this.watchers = new Set();
  }

  /** @param {T} value */
  set(value) {
    if (value === this.value) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher();
  }
}

/**
 * The value of a `Shared`, drawn anew when it changes.
 * @template T
 * @param {Shared<T>} shared
 * @returns {T}
 */
export function useShared(shared) {
  const [, again] = useState({});
  useLayoutEffect(() => {
    const watcher = () => again({});
    shared.watchers.add(watcher);
    return () => void shared.watchers.delete(watcher);
  }, [shared]);
  return shared.value;
}
