// What requests cost: every rule with its origin and its hits, changed where it is ours, and tried with a path.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { number } from "../format.js";
import { api, etagOf, withQuery } from "../http.js";
import { usePages } from "../pages.js";
import { useLive } from "../live.js";
import { Badge, Button, Empty, Field, Loaded } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { confirm, FormDialog } from "../parts/dialog.js";
import { toast } from "../parts/toasts.js";
import { TryPath } from "./try-path.js";

const METHODS = ["ANY", "GET", "POST", "PUT", "PATCH", "DELETE"];

export function Weights() {
  const { live, more } = usePages("/endpoint-weight", { hits: true }, { every: 60_000 });
  const [text, setText] = useState("");
  const [open, setOpen] = useState(/** @type {{weight: Weight | null} | null} */ (null));
  const wanted = text.trim().toLowerCase();
  const remove = (/** @type {Weight} */ row) => confirm({
    title: t("weight.delete", { name: `${row.method} ${row.path_pattern}` }), text: t("weight.delete-text"), action: t("delete"),
    save: async () => {
      await api(withQuery("/endpoint-weight", { id: row.id }), { method: "DELETE" });
      toast(t("weight.deleted"));
      await live.reload();
    },
  });
  return html`<${TryPath} /><section aria-labelledby="weights-title"><header class="section"><h2 id="weights-title">${t("admin.weights")}</h2><div class="tools"><${Button} kind="main" small act=${() => setOpen({ weight: null })}>${t("weight.new")}<//></div></header>
    <div class="filters"><div class="grow field"><${Field} label=${t("search")} value=${text} change=${setText} type="search" placeholder=${t("weight.search")} /></div></div>
    <div class="panel"><${Loaded} live=${live} what=${t("weights.failed")} lines=${6}>${(/** @type {Weight[]} */ rows) => html`<${Table} more=${more} caption=${t("admin.weights")} rows=${rows.filter((row) => `${row.method} ${row.path_pattern} ${row.description ?? ""}`.toLowerCase().includes(wanted))}
      empty=${html`<${Empty} title=${t(wanted ? "nothing-found" : "weight.none")}>${t(wanted ? "nothing-found-do" : "weight.none-do")}<//>`} columns=${columns((row) => setOpen({ weight: row }), remove)} />`}<//></div>
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
  { name: t("origin"), show: (row) => html`${row.public && html`<${Badge} tone="info">${t("weight.public")}<//> `}${(row.shadowed || row.problem) && html`<${Badge} tone="warn" title=${row.problem ?? t("weight.shadowed-what")}>${t("weight.shadowed")}<//> `}${row.source === "file" ? html`<span class="muted origin">${fileOf(row.origin)}</span>` : t("weight.here")}` },
  { name: "", right: true, show: (row) => row.source !== "file" && html`<span class="row-actions"><${Button} small act=${() => edit(row)} label=${t("action.of", { action: t("edit"), name: `${row.method} ${row.path_pattern}` })}>${t("edit")}<//><${Button} small kind="quiet" act=${() => remove(row)} label=${t("action.of", { action: t("delete"), name: `${row.method} ${row.path_pattern}` })}>${t("delete")}<//></span>` },
];

/** @param {string | null | undefined} origin */
function fileOf(origin) {
  return origin?.split("/").pop() ?? t("file");
}

/** @param {{weight: Weight | null, close: () => void, done: () => Promise<void>}} props */
function WeightForm({ weight, close, done }) {
  const [form, setForm] = useState({ method: weight?.method ?? "GET", path_pattern: weight?.path_pattern ?? "", weight: String(weight?.weight ?? 1), description: weight?.description ?? "" });
  const [failure, setFailure] = useState(/** @type {import("../http.js").Failure | null} */ (null));
  const newest = useLive(weight ? `/endpoint-weight/${weight.id}` : null);
  const set = (/** @type {Partial<typeof form>} */ changed) => setForm((was) => ({ ...was, ...changed }));
  const wrong = (/** @type {string} */ field) => failure?.fields.find((one) => one.field === field)?.problem ?? null;
  const save = async () => {
    const body = { ...form, weight: /^\d+$/.test(form.weight.trim()) ? Number(form.weight) : form.weight };
    if (weight) await api(withQuery("/endpoint-weight", { id: weight.id }), { method: "PUT", body, etag: etagOf(newest.data) });
    else await api("/endpoint-weight", { method: "POST", body });
    toast(t("weight.saved"));
    await done();
  };
  return html`<${FormDialog} title=${t(weight ? "weight.edit" : "weight.new")} close=${close} save=${save} action=${t(weight ? "save" : "create")} failed=${setFailure}>
    <div class="form-row"><${Field} label=${t("method")} value=${form.method} change=${(/** @type {string} */ method) => set({ method })} options=${[...new Set([...METHODS, form.method])].map((one) => [one, one])} problem=${wrong("method")} />
      <${Field} label=${t("weight")} value=${form.weight} change=${(/** @type {string} */ value) => set({ weight: value })} inputmode="numeric" required problem=${wrong("weight")} hint=${t("weight.hint")} /></div>
    <${Field} label=${t("path")} value=${form.path_pattern} change=${(/** @type {string} */ path_pattern) => set({ path_pattern })} required placeholder="/message/{id}/**" problem=${wrong("path_pattern")} hint=${t("weight.path-hint")} />
    <${Field} label=${t("description")} value=${form.description} change=${(/** @type {string} */ description) => set({ description })} problem=${wrong("description")} />
  <//>`;
}
