// Lists that the server hands out in portions: the first one stays fresh, more come when they are asked for.

import { useEffect, useRef, useState } from "./base.js";
import { api, withQuery } from "./http.js";
import { useLive } from "./live.js";

const PORTION = 200;

/**
 * @param {string | null} path
 * @param {Record<string, any>} [filters]
 * @param {{every?: import("./live.js").Pace<any>, workspace?: string | null}} [how]
 */
export function usePages(path, filters = {}, { every = 0, workspace = null } = {}) {
  const whole = path === null ? null : withQuery(path, { ...filters, limit: PORTION });
  const live = useLive(whole, { every, workspace });
  const [rest, setRest] = useState(/** @type {{of: string | null, rows: any[], done: boolean}} */ ({ of: null, rows: [], done: false }));
  const current = useRef(whole);
  current.current = whole;
  useEffect(() => setRest({ of: whole, rows: [], done: false }), [whole]);
  const mine = rest.of === whole ? rest : { of: whole, rows: [], done: false };
  const first = /** @type {any[] | undefined} */ (live.data);
  const rows = first && [...first, ...mine.rows.filter((row) => !first.some((one) => one.id === row.id))];
  const full = (first?.length ?? 0) >= PORTION && !mine.done;
  const more = full && path !== null ? async () => {
    const next = await api(withQuery(path, { ...filters, limit: PORTION, offset: PORTION + mine.rows.length }), { workspace });
    if (current.current === whole) setRest({ of: whole, rows: [...mine.rows, ...next], done: next.length < PORTION });
  } : null;
  return { live: { ...live, data: rows }, more };
}
