// Data that stays fresh: asked again while somebody looks, less often while it fails, never twice at once.

import { useCallback, useEffect, useRef, useState, useShared } from "./base.js";
import { api, Failure } from "./http.js";
import { session } from "./session.js";

const SLOWEST = 300_000;

/**
 * @template T
 * @typedef {object} Live
 * @property {T | undefined} data the newest there is, also while newer is being asked for or has failed
 * @property {Failure | null} failure of the last try
 * @property {boolean} busy
 * @property {() => Promise<void>} reload
 * @property {(change: (data: T) => T) => void} change what is shown until the next answer
 */

/**
 * Ask `path` now and every `every` milliseconds (0: once). Hidden pages do not ask; failures double the pause.
 * @template T
 * @param {string | null} path below the API's prefix; `null`: nothing
 * @param {{every?: number, workspace?: string | null, load?: (signal: AbortSignal) => Promise<T>, anonymous?: boolean}} [how]
 * @returns {Live<T>}
 */
export function useLive(path, { every = 0, workspace = null, load, anonymous = false } = {}) {
  const { token } = useShared(session);
  const key = path === null ? null : `${workspace ?? ""} ${path}`;
  const [state, setState] = useState(/** @type {{key: string | null, data?: T, failure: Failure | null, busy: boolean}} */ ({ key, failure: null, busy: key !== null }));
  const loader = useRef(load);
  loader.current = load;
  const run = useRef(/** @type {() => Promise<void>} */ (async () => {}));

  useEffect(() => {
    if (path === null || !(token || anonymous)) return undefined;
    const stop = new AbortController();
    let failures = 0;
    let last = 0;
    /** @type {Promise<void> | null} */
    let asking = null;
    /** @type {number | undefined} */
    let timer;

    const once = async () => {
      clearTimeout(timer);
      last = Date.now();
      let pause = every;
      try {
        const data = loader.current ? await loader.current(stop.signal) : await api(path, { workspace, signal: stop.signal });
        failures = 0;
        setState((was) => (was.key === key && was.data === data && !was.failure && !was.busy ? was : { key, data, failure: null, busy: false }));
      } catch (failure) {
        if (stop.signal.aborted) return;
        if (!(failure instanceof Failure)) throw failure;
        failures += 1;
        pause = Math.max((failure.retryAfter ?? 0) * 1000, Math.min(SLOWEST, (every || 5_000) * 2 ** Math.min(failures, 8)) * (0.85 + Math.random() * 0.3));
        setState((was) => ({ key, data: was.key === key ? was.data : undefined, failure, busy: false }));
        if (failure.status === 401 || failure.status === 403 || failure.status === 404) pause = 0;
        else if (!every) pause = 0;
      }
      if (pause && !document.hidden && !stop.signal.aborted) timer = window.setTimeout(ask, pause);
    };
    const ask = () => (asking ??= once().finally(() => { asking = null; }));
    const look = () => {
      clearTimeout(timer);
      if (!document.hidden && every && Date.now() - last >= every) void ask();
      else if (!document.hidden && every) timer = window.setTimeout(ask, every - (Date.now() - last));
    };

    run.current = () => {
      setState((was) => ({ ...was, busy: true }));
      return ask();
    };
    setState((was) => (was.key === key ? { ...was, busy: true } : { key, failure: null, busy: true }));
    void ask();
    document.addEventListener("visibilitychange", look);
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
      run.current = async () => {};
    };
  }, [key, every, token]);

  const reload = useCallback(() => run.current(), []);
  const change = useCallback((/** @type {(data: T) => T} */ alter) => setState((was) => (was.data === undefined ? was : { ...was, data: alter(was.data) })), []);
  const fresh = state.key === key;
  return { data: fresh ? state.data : undefined, failure: fresh ? state.failure : null, busy: fresh ? state.busy : true, reload, change };
}
