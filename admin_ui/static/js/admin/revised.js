// Changing what somebody else may be changing as well: only what was shown is changed, and who was overtaken sees by what,
// keeps what they typed, and decides again.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, etagOf, Failure } from "../http.js";

/** @typedef {{field: string, was: any, now: any, mine: any, clash: boolean}} Overtaken `clash`: both have changed it, to different things */

/**
 * Change a row as it is shown. If it is not so any more, nothing is done: `changed` gets it as it is now.
 * @template {{updated_at?: string}} R
 * @template A
 * @param {string} path of the row
 * @param {R} shown
 * @param {(etag: string | undefined) => Promise<A>} change
 * @param {(now: R) => unknown} changed
 * @returns {Promise<A>}
 */
export async function onShown(path, shown, change, changed) {
  let now = await api(path);
  try {
    if (now.updated_at === shown.updated_at) return await change(etagOf(now));
  } catch (failure) {
    if (!(failure instanceof Failure) || failure.status !== 412) throw failure;
    now = await api(path);
  }
  await changed(now);
  throw new Failure(412, { message: t("revised.changed"), told: true });
}

/**
 * A form over a row: what is typed, and what others have changed in the row since it was shown.
 * @template {{updated_at?: string}} R
 * @template {Record<string, any>} D
 * @param {R | null} row `null`: there is none yet
 * @param {(row: R | null) => D} draftOf
 */
export function useRevised(row, draftOf) {
  const [base, setBase] = useState(() => ({ row, draft: draftOf(row) }));
  const [draft, setDraft] = useState(base.draft);
  const [overtaken, setOvertaken] = useState(/** @type {Overtaken[]} */ ([]));
  const set = (/** @type {Partial<D>} */ changed) => setDraft((was) => ({ ...was, ...changed }));
  const meet = (/** @type {R} */ now) => {
    const { merged, changes } = met(base.draft, draftOf(now), draft);
    setBase({ row: now, draft: draftOf(now) });
    setDraft(/** @type {D} */ (merged));
    setOvertaken(changes);
  };
  const begin = (/** @type {R} */ now) => {
    setBase({ row: now, draft: draftOf(now) });
    setDraft(draftOf(now));
    setOvertaken([]);
  };
  return { row: base.row, draft, set, meet, begin, overtaken, touched: !same(draft, base.draft) };
}

/**
 * What is typed over what is there now: where only others have changed something, it is taken over.
 * @param {Record<string, any>} was
 * @param {Record<string, any>} now
 * @param {Record<string, any>} mine
 */
function met(was, now, mine) {
  const merged = { ...now };
  /** @type {Overtaken[]} */
  const changes = [];
  for (const field of Object.keys(now)) {
    const own = !same(mine[field], was[field]);
    if (own) merged[field] = mine[field];
    if (!same(now[field], was[field])) changes.push({ field, was: was[field], now: now[field], mine: mine[field], clash: own && !same(mine[field], now[field]) });
  }
  return { merged, changes };
}

/** @param {any} one @param {any} other */
function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/**
 * What others have changed meanwhile, and what becomes of it.
 * @param {{changes: Overtaken[], nameOf: (field: string) => string, show?: (field: string, value: any) => any}} props
 */
export function Overtaken({ changes, nameOf, show = (_, value) => String(value ?? "") || "–" }) {
  if (changes.length === 0) return null;
  return html`<div class="note warn" role="status"><p><strong>${t("revised.title")}</strong> ${t("revised.what")}</p>
    <div class="scrolls" tabindex="0" role="region" aria-label=${t("revised.title")}><table class="changes"><caption class="hidden">${t("revised.title")}</caption><thead><tr><th scope="col">${t("audit.field")}</th><th scope="col">${t("audit.before")}</th><th scope="col">${t("revised.now")}</th><th scope="col">${t("revised.here")}</th></tr></thead>
    <tbody>${changes.map((one) => html`<tr key=${one.field}><th scope="row">${nameOf(one.field)}</th><td>${show(one.field, one.was)}</td><td>${show(one.field, one.now)}</td>
      <td>${one.clash ? html`${show(one.field, one.mine)} <span class="muted">${t("revised.mine")}</span>` : t("revised.taken")}</td></tr>`)}</tbody></table></div></div>`;
}
