// Data that stays fresh: asked again while somebody looks, less often while it fails or nobody is there, never twice at once.

import { useCallback, useEffect, useRef, useState, useShared } from "./base.js";
import { idlePace, whenBack } from "./attention.js";
import { api, Failure } from "./http.js";
import { session } from "./session.js";

const FIRST_RETRY_MS = 5_000;
const SLOWEST_MS = 300_000;

/**
 * @template T
 * @typedef {object} Live
 * @property {T | undefined} data the newest there is, also while newer is being asked for or has failed
 * @property {Failure | null} failure of the last try
 * @property {boolean} busy
 * @property {boolean} again whether it will be asked again without anybody's doing
 * @property {() => Promise<void>} reload what is asked after this call: an answer already on its way is not waited for
 * @property {(change: (data: T) => T) => void} change what is shown until the next answer
 */

/**
 * How long to wait after an answer, in milliseconds; 0: that was all. `asked`: how many there were since the last `reload`,
 * or since somebody came back to the page, the first counted.
 * @template T
 * @typedef {number | ((data: T | undefined, asked: number) => number)} Pace
 */

/**
 * Ask `path` now and then at its pace (0: once). Hidden pages do not ask; failures double the pause, and what got no
 * answer is asked again even if it is wanted once only.
 * @template T
 * @param {string | null} path below the API's prefix; `null`: nothing
 * @param {{every?: Pace<T>, workspace?: string | null, load?: (signal: AbortSignal) => Promise<T>, anonymous?: boolean}} [how]
 * @returns {Live<T>}
 */
export function useLive(path, { every = 0, workspace = null, load, anonymous = false } = {}) {
  const { token, person } = useShared(session);
  const key = path === null ? null : `${person} ${workspace ?? ""} ${path}`;
  const [state, setState] = useState(/** @type {{key: string | null, data?: T, failure: Failure | null, busy: boolean, again: boolean}} */ ({ key, failure: null, busy: key !== null, again: false }));
  const wanted = useRef({ every, load });
  wanted.current = { every, load };
  const run = useRef(/** @type {() => Promise<void>} */ (async () => {}));

  useEffect(() => {
    if (path === null || !(token || anonymous)) return undefined;
    const asking = new Asking({
      load: (signal) => (wanted.current.load ? wanted.current.load(signal) : api(path, { workspace, signal })),
      pace: (data, asked) => (typeof wanted.current.every === "number" ? wanted.current.every : wanted.current.every(data, asked)),
      came: (data, again) => setState((was) => (was.key === key && was.data === data && !was.failure && !was.busy && was.again === again ? was : { key, data, failure: null, busy: false, again })),
      failed: (failure, again) => setState((was) => ({ key, data: was.key === key ? was.data : undefined, failure, busy: false, again })),
    });
    run.current = () => {
      setState((was) => ({ ...was, busy: true }));
      return asking.anew();
    };
    setState((was) => (was.key === key ? { ...was, busy: true } : { key, failure: null, busy: true, again: false }));
    void asking.anew();
    return () => {
      asking.end();
      run.current = async () => {};
    };
  }, [key, typeof every === "number" ? every : "paced", token]);

  const reload = useCallback(() => run.current(), []);
  const change = useCallback((/** @type {(data: T) => T} */ alter) => setState((was) => (was.data === undefined ? was : { ...was, data: alter(was.data) })), []);
  const fresh = state.key === key;
  return { data: fresh ? state.data : undefined, failure: fresh ? state.failure : null, busy: fresh ? state.busy : true, again: fresh && state.again, reload, change };
}

/**
 * The asking itself: one question at a time, the next when it is due and somebody looks.
 * @template T
 */
class Asking {
  /** @param {{load: (signal: AbortSignal) => Promise<T>, pace: (data: T | undefined, asked: number) => number, came: (data: T, again: boolean) => void, failed: (failure: Failure, again: boolean) => void}} how */
  constructor(how) {
    this.how = how;
    this.asked = 0;
    this.failures = 0;
    this.ended = false;
    /** When the next one is due, and when the last one was asked. */
    this.due = Infinity;
    this.last = 0;
    /** @type {T | undefined} */
    this.data = undefined;
    /** @type {AbortController | null} */
    this.stop = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.forget = whenBack(() => this.look(true));
    this.hidden = () => this.look(false);
    document.addEventListener("visibilitychange", this.hidden);
  }

  /** Ask now, whatever is on its way. */
  anew() {
    this.asked = 0;
    return this.once();
  }

  async once() {
    clearTimeout(this.timer);
    this.stop?.abort();
    const stop = new AbortController();
    this.stop = stop;
    this.due = Infinity;
    this.last = Date.now();
    /** @type {() => void} */
    let tell;
    try {
      const data = await this.how.load(stop.signal);
      if (stop.signal.aborted) return;
      this.asked += 1;
      this.failures = 0;
      this.data = data;
      const pause = this.how.pace(data, this.asked);
      if (pause) this.due = this.last + Math.max(pause, idlePace());
      tell = () => this.how.came(data, pause > 0);
    } catch (error) {
      if (stop.signal.aborted) return;
      const failure = error instanceof Failure ? error : unreadable(error);
      this.asked += 1;
      this.failures += 1;
      const pause = this.afterFailure(failure);
      if (pause) this.due = Date.now() + pause;
      tell = () => this.how.failed(failure, pause > 0);
    }
    this.stop = null;
    tell();
    this.look(false);
  }

  /**
   * How long to wait after a failure, 0: for good. Doubled each time, with chance in it, and never less than was asked for.
   * @param {Failure} failure
   */
  afterFailure(failure) {
    if (failure.status >= 400 && failure.status < 500 && failure.status !== 429) return 0;
    const pace = this.how.pace(this.data, this.asked);
    if (!pace && failure.status !== 0) return 0;
    const doubled = Math.min(SLOWEST_MS, (pace || FIRST_RETRY_MS) * 2 ** Math.min(this.failures, 8)) * (0.85 + Math.random() * 0.3);
    return Math.max((failure.retryAfter ?? 0) * 1000, doubled);
  }

  /**
   * See to the next one. `back`: somebody has come back, and is shown what is new at once, unless it fails just now.
   * @param {boolean} back
   */
  look(back) {
    clearTimeout(this.timer);
    if (back) this.asked = Math.min(this.asked, 1);
    if (document.hidden || this.stop || this.ended || this.due === Infinity) return;
    const now = Date.now();
    if (back && !this.failures) this.due = Math.min(this.due, Math.max(now, this.last + this.how.pace(this.data, this.asked)));
    if (this.due <= now) void this.once();
    else this.timer = window.setTimeout(() => this.look(false), this.due - now);
  }

  end() {
    this.ended = true;
    this.stop?.abort();
    clearTimeout(this.timer);
    this.forget();
    document.removeEventListener("visibilitychange", this.hidden);
  }
}

/**
 * An answer that is not what it should be: JSON, and not of this kind.
 * @param {unknown} error
 */
function unreadable(error) {
  console.error(error);
  return new Failure(0, null, { kind: "broken" });
}
