// Who changed what: the audit log, newest first, with what it was before and after.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { instant, moment } from "../format.js";
import { withQuery } from "../http.js";
import { useLive } from "../live.js";
import { useNames } from "../names.js";
import { everyRow, usePages } from "../pages.js";
import { save } from "../csv.js";
import { Button, Empty, Field, Id, Loaded, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { useSettled } from "../parts/scope-picker.js";
import { toast } from "../parts/toasts.js";

const TOPICS = ["plan", "price", "weight", "key", "subscription", "payment", "signal", "sync", "portal", "login"];

/** @typedef {{id: number, at: string, actor_kind: string, actor_id?: string, address?: string, request_id?: string, actor_via?: string, actor_key?: string, action: string, topic: string, object_id: string, scope?: string, scope_id?: string, before?: any, after?: any}} Entry */

const YEAR_US = 31_536_000_000_000; // what is less is a length of time, what is more an instant

const behind = (/** @type {Entry} */ row) => ({ before_id: row.id });

export function Audit() {
  const [filters, setFilters] = useState({ topic: "", who: "", object_id: "", from: "", to: "" });
  const set = (/** @type {Partial<typeof filters>} */ changed) => setFilters((was) => ({ ...was, ...changed }));
  const who = useSettled(filters.who.trim());
  const people = useLive(withQuery("/directory", { kind: "user", text: who, limit: 100 })); // whom the server knows by it: there may be very many
  const actor_id = actorOf(who, people.data ?? []);
  const known = !who || people.data !== undefined || people.failure !== null;
  const asked = { topic: filters.topic, actor_id, object_id: useSettled(filters.object_id.trim()), from: instant(filters.from), to: instant(filters.to) };
  const { live, more } = usePages(known ? "/audit" : null, asked, { every: 30_000, behind });
  const nameOf = useNames();
  const narrowed = Object.values(asked).some(Boolean);
  const download = async () => {
    const { rows, cut } = await everyRow("/audit", asked, { behind });
    save("audit.csv", rows);
    if (cut) toast(t("csv.cut", { n: rows.length }), { bad: true });
  };
  return html`<section aria-labelledby="audit-title"><header class="section"><h2 id="audit-title">${t("admin.audit")}</h2><div class="tools"><${Button} small disabled=${!live.data?.length} act=${download}>${t("csv")}<//></div></header>
    <div class="filters"><${Field} label=${t("audit.topic")} value=${filters.topic} change=${(/** @type {string} */ topic) => set({ topic })} options=${[["", t("all")], ...TOPICS.map((one) => [one, tWord("topic", one)])]} />
      <div class="grow field"><${Field} label=${t("audit.who")} value=${filters.who} change=${(/** @type {string} */ who) => set({ who })} type="search" placeholder=${t("picker.search")} list=${named(people.data ?? []).map((one) => one.name)} /></div>
      <div class="grow field"><${Field} label=${t("audit.object")} value=${filters.object_id} change=${(/** @type {string} */ object_id) => set({ object_id })} type="search" placeholder=${t("id")} /></div>
      <${Field} label=${t("from")} type="datetime-local" value=${filters.from} change=${(/** @type {string} */ from) => set({ from })} /><${Field} label=${t("to")} type="datetime-local" value=${filters.to} change=${(/** @type {string} */ to) => set({ to })} /></div>
    <div class="panel"><${Loaded} live=${live} what=${t("audit.failed")} lines=${6}>${(/** @type {Entry[]} */ rows) => html`<${Table} key=${JSON.stringify(asked)} rows=${rows} more=${more} caption=${t("admin.audit")} keyOf=${(/** @type {Entry} */ row) => String(row.id)} details=${Change} nameOf=${(/** @type {Entry} */ row) => `${actionOf(row)}, ${objectOf(row) || row.object_id.slice(0, 8)}, ${moment(row.at, "second")}`}
      empty=${html`<${Empty} title=${t(narrowed ? "nothing-found" : "audit.none")}>${t(narrowed ? "nothing-found-do" : "audit.none-do")}<//>`} columns=${columns(nameOf, (who) => set({ who }))} />`}<//></div>
  </section>`;
}

/** @param {Known[]} people @returns {{id: string, name: string}[]} */
function named(people) {
  return people.flatMap(({ id, name }) => (name ? [{ id, name }] : []));
}

/** The id of whom somebody has typed: a name that is known, or the id itself. @param {string} typed @param {Known[]} people */
function actorOf(typed, people) {
  const wanted = typed.toLowerCase();
  return named(people).find((one) => one.name.toLowerCase() === wanted)?.id ?? typed;
}

/**
 * @param {(kind: string, id: string | null | undefined) => string | null} nameOf
 * @param {(who: string) => void} only
 * @returns {import("../parts/table.js").Column<Entry>[]}
 */
const columns = (nameOf, only) => [
  { name: t("time"), show: (row) => html`<${Time} at=${row.at} exact="second" />` },
  { name: t("audit.who"), show: (row) => html`${tWord("actor", row.actor_kind)} ${row.actor_id && html`<button type="button" class="id" onClick=${() => only(nameOf("user", row.actor_id) ?? row.actor_id ?? "")} title=${t("audit.only", { id: row.actor_id })}>${nameOf("user", row.actor_id) ?? html`<code>${row.actor_id.slice(0, 8)}</code>`}</button>`}${row.actor_via && html` <span class="muted">${tWord("via", row.actor_via)}</span>`}${row.address && html`<br /><span class="muted">${row.address}</span>`}` },
  { name: t("audit.action"), show: (row) => html`<span title=${row.action}>${actionOf(row)}</span>` },
  { name: t("audit.object"), wide: true, show: (row) => html`${objectOf(row)} <${Id} id=${row.object_id} />${row.scope_id && row.scope_id !== row.object_id && html`<br /><span class="muted">${tWord("kind", row.scope)} ${nameOf(row.scope ?? "", row.scope_id) ?? row.scope_id.slice(0, 8)}</span>`}` },
];

/** Its name now, or before. @param {Entry} row @returns {string} */
function objectOf(row) {
  return row.after?.name ?? row.before?.name ?? row.after?.pattern ?? row.before?.pattern ?? "";
}

/** "Plan: changed". @param {Entry} row */
function actionOf(row) {
  const verb = row.action.slice(row.action.indexOf(".") + 1);
  return `${tWord("topic", row.topic)}: ${tWord("verb", verb)}`;
}

/** @param {Entry} row */
function Change(row) {
  const names = [...new Set([...Object.keys(row.before ?? {}), ...Object.keys(row.after ?? {})])].filter((name) => JSON.stringify(row.before?.[name] ?? null) !== JSON.stringify(row.after?.[name] ?? null));
  const shown = (/** @type {string} */ name, /** @type {any} */ value) => (value === undefined || value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : name.endsWith("_us") && value > YEAR_US ? html`<${Time} at=${value / 1000} exact="second" />` : String(value));
  return html`<div class="scrolls" tabindex="0" role="region" aria-label=${t("audit.changes")}><table class="changes"><caption class="hidden">${t("audit.changes")}</caption><thead><tr><th scope="col">${t("audit.field")}</th><th scope="col">${t("audit.before")}</th><th scope="col">${t("audit.after")}</th></tr></thead>
    <tbody>${names.map((name) => html`<tr><th scope="row"><code>${name}</code></th><td>${shown(name, row.before?.[name])}</td><td>${shown(name, row.after?.[name])}</td></tr>`)}</tbody></table></div>
    ${row.actor_key && html`<p class="hint">${t("audit.key")} <code>${row.actor_key}</code></p>`}
    ${row.request_id && html`<p class="hint">${t("failure.request")} <code>${row.request_id}</code></p>`}`;
}
