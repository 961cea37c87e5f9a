// What requests cost: every rule with its origin and its hits, changed where it is ours, and tried with a path.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { number } from "../format.js";
import { api, withQuery } from "../http.js";
import { usePages } from "../pages.js";
import { Badge, Button, Empty, Field, Loaded } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { confirm } from "../parts/dialog.js";
import { useSettled } from "../parts/scope-picker.js";
import { toast } from "../parts/toasts.js";
import { onShown } from "./revised.js";
import { TryPath } from "./try-path.js";
import { METHODS, WeightForm } from "./weight-form.js";

export function Weights() {
  const [filters, setFilters] = useState({ text: "", method: "", source: "" });
  const set = (/** @type {Partial<typeof filters>} */ changed) => setFilters((was) => ({ ...was, ...changed }));
  const text = useSettled(filters.text.trim());
  const { live, more } = usePages("/endpoint-weight", { ...filters, text, hits: true }, { every: 60_000 });
  const [open, setOpen] = useState(/** @type {{weight: Weight | null} | null} */ (null));
  const narrowed = Boolean(text || filters.method || filters.source);
  const remove = (/** @type {Weight} */ row) => confirm({
    title: t("weight.delete", { name: `${row.method} ${row.path_pattern}` }), text: t("weight.delete-text"), action: t("delete"),
    save: async () => {
      await onShown(`/endpoint-weight/${row.id}`, row, (etag) => api(withQuery("/endpoint-weight", { id: row.id }), { method: "DELETE", etag }), live.reload);
      toast(t("weight.deleted"));
      await live.reload();
    },
  });
  return html`<${TryPath} /><section aria-labelledby="weights-title"><header class="section"><h2 id="weights-title">${t("admin.weights")}</h2><div class="tools"><${Button} kind="main" small act=${() => setOpen({ weight: null })}>${t("weight.new")}<//></div></header>
    <div class="filters"><div class="grow field"><${Field} label=${t("search")} value=${filters.text} change=${(/** @type {string} */ one) => set({ text: one })} type="search" placeholder=${t("weight.search")} /></div>
      <${Field} label=${t("method")} value=${filters.method} change=${(/** @type {string} */ method) => set({ method })} options=${[["", t("all")], ...METHODS.map((one) => [one, one])]} />
      <${Field} label=${t("origin")} value=${filters.source} change=${(/** @type {string} */ source) => set({ source })} options=${[["", t("all")], ["database", t("weight.here")], ["file", t("file")]]} /></div>
    <div class="panel"><${Loaded} live=${live} what=${t("weights.failed")} lines=${6}>${(/** @type {Weight[]} */ rows) => html`<${Table} key=${`${text} ${filters.method} ${filters.source}`} more=${more} caption=${t("admin.weights")} rows=${rows}
      empty=${html`<${Empty} title=${t(narrowed ? "nothing-found" : "weight.none")}>${t(narrowed ? "nothing-found-do" : "weight.none-do")}<//>`} columns=${columns((row) => setOpen({ weight: row }), remove)} />`}<//></div>
    ${open && html`<${WeightForm} weight=${open.weight} close=${() => setOpen(null)} done=${live.reload} />`}
  </section>`;
}

/**
 * @param {(row: Weight) => void} edit
 * @param {(row: Weight) => void} remove
 * @returns {import("../parts/table.js").Column<Weight>[]}
 */
const columns = (edit, remove) => [
  { name: t("method"), show: (row) => html`<code>${row.method}</code>` },
  { name: t("path"), wide: true, show: (row) => html`<code>${row.path_pattern}</code>${row.description && html`<br /><span class="muted">${row.description}</span>`}` },
  { name: t("weight"), right: true, show: (row) => html`<strong>${number(row.weight)}</strong>` },
  { name: t("weight.pays"), show: (row) => (row.pays ? row.pays.map((kind) => tWord("kind", kind)).join(" → ") || t("try.nobody") : html`<span class="muted">${t("weight.cascade")}</span>`) },
  { name: t("weight.hits"), right: true, show: (row) => (row.hits_last_day === null || row.hits_last_day === undefined ? "–" : number(row.hits_last_day)) },
  { name: t("origin"), show: (row) => html`${row.public && html`<${Badge} tone="info">${t("weight.public")}<//> `}${(row.shadowed || row.problem) && html`<${Badge} tone="warn" title=${row.problem ?? t("weight.shadowed-what")}>${t("weight.shadowed")}<//> `}${row.source === "file" ? html`<span class="muted origin">${fileOf(row.origin)}</span>` : t("weight.here")}${row.problem && html`<br /><span class="muted">${row.problem}</span>`}` },
  { name: "", right: true, show: (row) => row.source !== "file" && html`<span class="row-actions"><${Button} small act=${() => edit(row)} label=${t("action.of", { action: t("edit"), name: `${row.method} ${row.path_pattern}` })}>${t("edit")}<//><${Button} small kind="quiet" act=${() => remove(row)} label=${t("action.of", { action: t("delete"), name: `${row.method} ${row.path_pattern}` })}>${t("delete")}<//></span>` },
];

/** The file and the line, without its folders. @param {string | null | undefined} origin */
export function fileOf(origin) {
  return origin?.split("/").pop() ?? t("file");
}
