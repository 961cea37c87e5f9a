// Lists that the server hands out in portions: the head stays fresh, more come when they are asked for, and both are one
// list without gaps and without repetitions, however much has come meanwhile.

import { useRef } from "./base.js";
import { api, withQuery } from "./http.js";
import { useLive } from "./live.js";

const PORTION = 200;
const LARGEST = 1000;
/** How much is fetched at most to meet what was known before: then the list begins anew. */
const MOST_BETWEEN = 10;

/** @typedef {(row: any) => Record<string, any>} Behind what asks for the rows behind one */
/** @typedef {{of: string, head: any[], rows: any[], done: boolean}} Held `done`: there are no more */

/** @type {Behind} */
const place = (row) => ({ after: `${row.created_at},${row.id}` });

/**
 * @param {string | null} path
 * @param {Record<string, any>} [filters]
 * @param {{every?: import("./live.js").Pace<any>, workspace?: string | null, behind?: Behind}} [how]
 * @returns {{live: import("./live.js").Live<any[]>, more: (() => Promise<void>) | null}} `live.reload` reads all that is shown again
 */
export function usePages(path, filters = {}, { every = 0, workspace = null, behind = place } = {}) {
  const whole = path === null ? null : withQuery(path, { ...filters, limit: PORTION });
  const held = useRef(/** @type {Held | null} */ (null));
  const all = useRef(false);
  const list = { of: `${workspace ?? ""} ${whole}`, path: path ?? "", filters, workspace, behind };
  const load = async (/** @type {AbortSignal} */ signal) => {
    const anew = all.current;
    all.current = false;
    try {
      const head = await api(whole ?? "", { workspace, signal });
      const was = held.current?.of === list.of ? held.current : null;
      if (was && was.head === head && !anew) return was.rows;
      const now = anew && was ? await reread(list, head, was.rows.length, signal) : await joined(list, head, was, signal);
      held.current = grown(now, held.current, anew ? null : was);
      return held.current.rows;
    } catch (error) {
      all.current ||= anew;
      throw error;
    }
  };
  const live = useLive(whole, { every, workspace, load });
  const mine = held.current?.of === list.of ? held.current : null;
  const more = mine && !mine.done ? async () => {
    const next = await portion(list, mine.rows[mine.rows.length - 1], PORTION);
    const now = held.current;
    if (now?.of !== list.of) return;
    held.current = { ...now, rows: [...now.rows, ...unknown(next, now.rows)], done: next.length < PORTION };
    live.change(() => held.current?.rows ?? []);
  } : null;
  const reload = () => {
    all.current = true;
    return live.reload();
  };
  return { live: { ...live, data: live.data && mine ? mine.rows : live.data, reload }, more };
}

/** @typedef {{of: string, path: string, filters: Record<string, any>, workspace: string | null, behind: Behind}} List */

/**
 * The rows behind one, or the first.
 * @param {List} list
 * @param {any} row
 * @param {number} limit
 * @param {AbortSignal} [signal]
 * @returns {Promise<any[]>}
 */
function portion({ path, filters, workspace, behind }, row, limit, signal) {
  return api(withQuery(path, { ...filters, limit, ...(row ? behind(row) : {}) }), { workspace, signal });
}

/**
 * A new head on what was known. Where nothing of it was, what lies between is fetched.
 * @param {List} list
 * @param {any[]} head
 * @param {Held | null} was
 * @param {AbortSignal} signal
 * @returns {Promise<Held>}
 */
async function joined(list, head, was, signal) {
  let rows = head, last = head;
  for (let fetched = 0; last.length >= PORTION && was && was.rows.length > 0; fetched += 1) {
    const places = new Map(was.rows.map((row, at) => [row.id, at]));
    const met = last.map((row) => places.get(row.id)).findLast((at) => at !== undefined);
    if (met !== undefined) return { of: list.of, head, rows: [...rows, ...unknown(was.rows.slice(met + 1), rows)], done: was.done };
    if (fetched === MOST_BETWEEN) break;
    last = await portion(list, rows[rows.length - 1], PORTION, signal);
    rows = [...rows, ...unknown(last, rows)];
  }
  return { of: list.of, head, rows, done: last.length < PORTION };
}

/**
 * As many as were shown, all of them as they are now.
 * @param {List} list
 * @param {any[]} head
 * @param {number} count
 * @param {AbortSignal} signal
 * @returns {Promise<Held>}
 */
async function reread(list, head, count, signal) {
  let rows = head, done = head.length < PORTION;
  while (rows.length < count && !done) {
    const next = await portion(list, rows[rows.length - 1], LARGEST, signal);
    rows = [...rows, ...unknown(next, rows)];
    done = next.length < LARGEST;
  }
  return { of: list.of, head, rows, done };
}

/**
 * What was fetched now, with what `more` has added meanwhile.
 * @param {Held} now
 * @param {Held | null} then what is held
 * @param {Held | null} was what was joined to
 * @returns {Held}
 */
function grown(now, then, was) {
  if (!then || !was || then === was || then.of !== now.of) return now;
  return { ...now, rows: [...now.rows, ...unknown(then.rows.slice(was.rows.length), now.rows)], done: then.done };
}

/**
 * @param {any[]} rows
 * @param {any[]} known
 */
function unknown(rows, known) {
  const ids = new Set(known.map((row) => row.id));
  return rows.filter((row) => !ids.has(row.id));
}

/**
 * A whole list, for a file.
 * @param {string} path
 * @param {Record<string, any>} filters
 * @param {{most?: number, behind?: Behind}} [how]
 * @returns {Promise<{rows: any[], cut: boolean}>} `cut`: there are more than `most`
 */
export async function everyRow(path, filters, { most = 50_000, behind = place } = {}) {
  const list = { of: path, path, filters, workspace: null, behind };
  /** @type {any[]} */
  const rows = [];
  for (;;) {
    const next = await portion(list, rows[rows.length - 1], LARGEST);
    for (const row of next) rows.push(row);
    if (next.length < LARGEST) return { rows, cut: false };
    if (rows.length >= most) return { rows, cut: true };
  }
}
