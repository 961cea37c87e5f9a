// Who changed what: the audit log, newest first, with what it was before and after.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, withQuery } from "../http.js";
import { useLive } from "../live.js";
import { useNames } from "../names.js";
import { save } from "../csv.js";
import { Button, Empty, Field, Id, Loaded, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { useSettled } from "../parts/scope-picker.js";
import { instant } from "./grant.js";

const PORTION = 200;

/** @typedef {{id: number, at: string, actor_kind: string, actor_id?: string, address?: string, request_id?: string, actor_via?: string, actor_key?: string, action: string, topic: string, object_id: string, scope?: string, scope_id?: string, before?: any, after?: any}} Entry */

export function Audit() {
  const [filters, setFilters] = useState({ topic: "", object_id: "", from: "", to: "" });
  const set = (/** @type {Partial<typeof filters>} */ changed) => setFilters((was) => ({ ...was, ...changed }));
  const asked = { topic: filters.topic, object_id: useSettled(filters.object_id.trim()), from: instant(filters.from), to: instant(filters.to), limit: PORTION };
  const path = withQuery("/audit", asked);
  const live = useLive(path, { every: 30_000 });
  const [older, setOlder] = useState(/** @type {{of: string, rows: Entry[], done: boolean}} */ ({ of: path, rows: [], done: false }));
  const nameOf = useNames();
  const mine = older.of === path ? older : { of: path, rows: [], done: false };
  const rows = [...(live.data ?? []), ...mine.rows];
  const more = live.data?.length === PORTION && !mine.done ? async () => {
    const next = await api(withQuery("/audit", { ...asked, before_id: rows[rows.length - 1].id }));
    setOlder({ of: path, rows: [...mine.rows, ...next], done: next.length < PORTION });
  } : null;
  return html`<section aria-labelledby="audit-title"><header class="section"><h2 id="audit-title">${t("admin.audit")}</h2><div class="tools"><${Button} small disabled=${rows.length === 0} act=${() => save("audit.csv", rows)}>${t("csv")}<//></div></header>
    <div class="filters"><${Field} label=${t("audit.topic")} value=${filters.topic} change=${(/** @type {string} */ topic) => set({ topic })} options=${[["", t("all")], ...["plan", "price", "weight", "key", "subscription", "payment", "signal", "sync", "portal", "login"].map((one) => [one, one])]} />
      <div class="grow field"><${Field} label=${t("audit.object")} value=${filters.object_id} change=${(/** @type {string} */ object_id) => set({ object_id })} type="search" /></div>
      <${Field} label=${t("from")} type="datetime-local" value=${filters.from} change=${(/** @type {string} */ from) => set({ from })} /><${Field} label=${t("to")} type="datetime-local" value=${filters.to} change=${(/** @type {string} */ to) => set({ to })} /></div>
    <div class="panel"><${Loaded} live=${live} what=${t("audit.failed")} lines=${6}>${() => html`<${Table} rows=${rows} more=${more} caption=${t("admin.audit")} keyOf=${(/** @type {Entry} */ row) => String(row.id)} details=${Change}
      empty=${html`<${Empty} title=${t("audit.none")}>${t("audit.none-do")}<//>`} columns=${columns(nameOf)} />`}<//></div>
  </section>`;
}

/**
 * @param {(kind: string, id: string | null | undefined) => string | null} nameOf
 * @returns {import("../parts/table.js").Column<Entry>[]}
 */
const columns = (nameOf) => [
  { name: t("time"), show: (row) => html`<${Time} at=${row.at} exact="second" />` },
  { name: t("audit.who"), show: (row) => html`${row.actor_kind} ${row.actor_id && html`<${Id} id=${row.actor_id} name=${nameOf("user", row.actor_id)} />`}${row.address && html`<br /><span class="muted">${row.address}</span>`}` },
  { name: t("audit.action"), show: (row) => html`<code>${row.action}</code>` },
  { name: t("audit.object"), wide: true, show: (row) => html`${row.after?.name ?? row.before?.name ?? ""} <${Id} id=${row.object_id} />` },
];

/** @param {Entry} row */
function Change(row) {
  const names = [...new Set([...Object.keys(row.before ?? {}), ...Object.keys(row.after ?? {})])].filter((name) => JSON.stringify(row.before?.[name]) !== JSON.stringify(row.after?.[name]));
  const shown = (/** @type {any} */ value) => (value === undefined || value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return html`<table class="changes"><caption class="hidden">${t("audit.changes")}</caption><thead><tr><th scope="col">${t("audit.field")}</th><th scope="col">${t("audit.before")}</th><th scope="col">${t("audit.after")}</th></tr></thead>
    <tbody>${names.map((name) => html`<tr><th scope="row"><code>${name}</code></th><td>${shown(row.before?.[name])}</td><td>${shown(row.after?.[name])}</td></tr>`)}</tbody></table>
    ${row.request_id && html`<p class="hint">${t("failure.request")} <code>${row.request_id}</code></p>`}`;
}
