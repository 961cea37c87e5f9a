// API keys: made, shown once, replaced without a gap, revoked.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { serverNow } from "../clock.js";
import { instant } from "../format.js";
import { api, Failure, withQuery } from "../http.js";
import { useOnce } from "../once.js";
import { usePages } from "../pages.js";
import { useNames, Who } from "../names.js";
import { Badge, Button, Empty, Field, Id, Loaded, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { confirm, Dialog, FormDialog } from "../parts/dialog.js";
import { ScopePicker, useSettled } from "../parts/scope-picker.js";
import { toast } from "../parts/toasts.js";

export function Keys() {
  const [filters, setFilters] = useState({ text: "", active: "" });
  const set = (/** @type {Partial<typeof filters>} */ changed) => setFilters((was) => ({ ...was, ...changed }));
  const text = useSettled(filters.text.trim());
  const { live, more } = usePages("/api-key", { text, active: filters.active, created_at: "desc" }, { every: 60_000 });
  const nameOf = useNames();
  const [making, setMaking] = useState(false);
  const [rotating, setRotating] = useState(/** @type {Key | null} */ (null));
  const [secret, setSecret] = useState(/** @type {string | null} */ (null));
  const shown = async (/** @type {Key} */ made) => {
    setMaking(false); // first: so that the focus goes back to where it was, and from there to the key and back again
    setRotating(null);
    setSecret(made.key ?? null);
    void live.reload();
  };
  const revoke = (/** @type {Key} */ row) => confirm({
    title: t("key.revoke", { name: row.name }), text: t("key.revoke-text"), action: t("key.revoke-do"),
    save: async () => {
      await api(withQuery("/api-key", { id: row.id }), { method: "DELETE" });
      toast(t("key.revoked-done"));
      await live.reload();
    },
  });
  return html`<section aria-labelledby="keys-title"><header class="section"><h2 id="keys-title">${t("admin.keys")}</h2><div class="tools"><${Button} kind="main" small act=${() => setMaking(true)}>${t("key.new")}<//></div></header>
    <p class="intro">${t("key.what")}</p>
    <div class="filters"><div class="grow field"><${Field} label=${t("search")} value=${filters.text} change=${(/** @type {string} */ one) => set({ text: one })} type="search" placeholder=${t("key.search")} /></div>
      <${Field} label=${t("state")} value=${filters.active} change=${(/** @type {string} */ active) => set({ active })} options=${[["", t("all")], ["true", t("key.valid")], ["false", t("key.over")]]} /></div>
    <div class="panel"><${Loaded} live=${live} what=${t("keys.failed")} lines=${5}>${(/** @type {Key[]} */ rows) => html`<${Table} key=${`${text} ${filters.active}`} rows=${rows} more=${more} caption=${t("admin.keys")} empty=${html`<${Empty} title=${t(text || filters.active ? "nothing-found" : "key.none")}>${t(text || filters.active ? "nothing-found-do" : "key.none-do")}<//>`} columns=${columns(nameOf, setRotating, revoke)} />`}<//></div>
    ${making && html`<${KeyForm} close=${() => setMaking(false)} done=${shown} />`}
    ${rotating && html`<${Rotate} row=${rotating} close=${() => setRotating(null)} done=${shown} />`}
    ${secret && html`<${Secret} secret=${secret} close=${() => setSecret(null)} />`}
  </section>`;
}

/**
 * @param {(kind: string, id: string | null | undefined) => string | null} nameOf
 * @param {(row: Key) => void} rotate
 * @param {(row: Key) => void} revoke
 * @returns {import("../parts/table.js").Column<Key>[]}
 */
const columns = (nameOf, rotate, revoke) => [
  { name: t("name"), wide: true, show: (row) => html`<strong>${row.name}</strong><br /><${Id} id=${row.id} />` },
  { name: t("key.for"), show: (row) => html`${row.user_id && html`<div><${Who} kind="user" id=${row.user_id} name=${nameOf("user", row.user_id)} /></div>`}${row.workspace_id && html`<div><${Who} kind="workspace" id=${row.workspace_id} name=${nameOf("workspace", row.workspace_id)} /></div>`}` },
  { name: t("state"), show: (row) => (row.revoked_at && Date.parse(row.revoked_at) <= serverNow() ? html`<${Badge}>${t("key.revoked")}<//>` : row.expires_at && Date.parse(row.expires_at) <= serverNow() ? html`<${Badge}>${t("state.expired")}<//>` : row.replaced_by || row.revoked_at ? html`<${Badge} tone="warn">${t("key.replaced")}<//>` : html`<${Badge} tone="good">${t("key.valid")}<//>`) },
  { name: t("key.until"), show: (row) => (row.revoked_at || row.expires_at ? html`<${Time} at=${row.revoked_at ?? row.expires_at} />` : t("never")) },
  { name: t("made"), show: (row) => html`<${Time} at=${row.created_at} exact="date" />` },
  { name: "", right: true, show: (row) => (row.source === "file" ? html`<span class="muted" title=${t("from-file")}>${t("file")}</span>` : !row.revoked_at && html`<span class="row-actions"><${Button} small act=${() => rotate(row)} label=${t("action.of", { action: t("key.rotate"), name: row.name })}>${t("key.rotate")}<//><${Button} small kind="quiet" act=${() => revoke(row)} label=${t("action.of", { action: t("key.revoke-do"), name: row.name })}>${t("key.revoke-do")}<//></span>`) },
];

/** @param {{close: () => void, done: (made: Key) => Promise<void>}} props */
function KeyForm({ close, done }) {
  const [name, setName] = useState("");
  const [user, setUser] = useState(/** @type {Known | null} */ (null));
  const [workspace, setWorkspace] = useState(/** @type {Known | null} */ (null));
  const [expires, setExpires] = useState("");
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const once = useOnce();
  const made = failure?.status === 409 ? failure.body?.content?.made : undefined; // by this very form, whose answer was lost
  const wrong = (/** @type {string} */ field) => failure?.fields.find((one) => one.field === field)?.problem ?? null;
  const save = async () => {
    const body = { name, ...(user ? { user_id: user.id } : {}), ...(workspace ? { workspace_id: workspace.id } : {}), ...(expires ? { expires_at: instant(expires) ?? expires } : {}) };
    await done(await api("/api-key", { method: "POST", body, once: once(body) }));
  };
  return html`<${FormDialog} title=${t("key.new")} close=${close} save=${save} action=${t("create")} failed=${setFailure}>
    <${Field} label=${t("name")} value=${name} change=${setName} required problem=${wrong("name")} hint=${t("key.name-hint")} />
    <${ScopePicker} kind="user" label=${t("key.user")} chosen=${user} choose=${setUser} problem=${wrong("user_id")} />
    <${ScopePicker} kind="workspace" label=${t("key.workspace")} chosen=${workspace} choose=${setWorkspace} problem=${wrong("workspace_id")} />
    <${Field} label=${t("key.until")} type="datetime-local" value=${expires} change=${setExpires} problem=${wrong("expires_at")} hint=${t("key.until-hint")} />
    ${made && html`<div class="note"><p>${t("key.made")}</p><p class="row-actions"><${Button} small act=${async () => done(await rotated(made, 0))}>${t("key.made-do")}<//></p></div>`}
  <//>`;
}

/**
 * A new key in the place of another.
 * @param {string} id
 * @param {number} seconds how long the other one still counts
 */
function rotated(id, seconds) {
  return api(`/api-key/${id}/rotate`, { method: "POST", body: { keep_old_for_seconds: seconds } });
}

/** @param {{row: Key, close: () => void, done: (made: Key) => Promise<void>}} props */
function Rotate({ row, close, done }) {
  const [keep, setKeep] = useState("86400");
  const save = async () => done(await rotated(row.id, Number(keep)));
  return html`<${FormDialog} title=${t("key.rotate-title", { name: row.name })} close=${close} save=${save} action=${t("key.rotate")}>
    <${Field} label=${t("key.keep")} value=${keep} change=${setKeep} options=${[["0", t("key.keep-0")], ["3600", t("key.keep-hour")], ["86400", t("key.keep-day")], ["604800", t("key.keep-week")]]} hint=${t("key.keep-hint")} /><//>`;
}

/** @param {{secret: string, close: () => void}} props */
function Secret({ secret, close }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      setCopied(true);
      toast(t("key.copied"));
    } catch {
      toast(t("key.copy-by-hand"), { bad: true });
    }
  };
  return html`<${Dialog} title=${t("key.secret")} close=${close} keep=${copied ? null : t("key.secret-keep")}><div class="form"><p>${t("key.secret-text")}</p><code class="secret">${secret}</code>
    <p class="row-actions"><${Button} kind="main" act=${copy}>${t("key.copy")}<//><${Button} act=${close}>${t("key.kept")}<//></p></div><//>`;
}
