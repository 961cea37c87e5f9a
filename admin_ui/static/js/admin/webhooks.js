// The inbox of the payment provider's messages: as they came, what became of each, and taken up once more on demand.

import { html, useState } from "../base.js";
import { moment } from "../format.js";
import { t, tWord } from "../i18n.js";
import { api } from "../http.js";
import { usePages } from "../pages.js";
import { useLive } from "../live.js";
import { Button, Empty, Field, Id, Loaded, State, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { attempt } from "../parts/dialog.js";
import { toast } from "../parts/toasts.js";
import { useSettled } from "../parts/scope-picker.js";

/** @typedef {{id: string, provider: string, key: string, type: string, subject: string, subject_id: string, status: string, attempts: number, next_at?: string | null, problem?: string | null, happened_at: string, created_at: string, body?: any}} Event */

export function Webhooks() {
  const [status, setStatus] = useState("");
  const [type, setType] = useState("");
  const { live, more } = usePages("/webhook-event", { status, type: useSettled(type.trim()) }, { every: 15_000 });
  const replay = (/** @type {Event} */ row) => attempt(async () => {
    await api(`/webhook-event/${row.id}/replay`, { method: "POST" });
    await live.reload();
  }, t("webhook.replayed"), toast);
  return html`<section aria-labelledby="webhooks-title"><header class="section"><h2 id="webhooks-title">${t("admin.webhooks")}</h2></header>
    <div class="filters"><${Field} label=${t("state")} value=${status} change=${setStatus} options=${[["", t("all")], ...["received", "done", "ignored", "failed"].map((one) => [one, tWord("event", one)])]} /><div class="grow field"><${Field} label=${t("webhook.type")} value=${type} change=${setType} type="search" placeholder="invoice.paid" /></div></div>
    <div class="panel"><${Loaded} live=${live} what=${t("webhooks.failed")} lines=${6}>${(/** @type {Event[]} */ rows) => html`<${Table} rows=${rows} more=${more} caption=${t("admin.webhooks")} nameOf=${(/** @type {Event} */ row) => `${row.type} ${row.subject_id ?? ""}, ${moment(row.created_at, "second")}`} details=${(/** @type {Event} */ row) => html`<${Details} id=${row.id} />`}
      empty=${html`<${Empty} title=${t("webhook.none")}>${t("webhook.none-do")}<//>`} columns=${[
        { name: t("time"), show: (/** @type {Event} */ row) => html`<${Time} at=${row.created_at} exact="second" />` },
        { name: t("webhook.type"), wide: true, show: (/** @type {Event} */ row) => html`<code>${row.type}</code><br /><span class="muted">${row.subject} <${Id} id=${row.subject_id} name=${row.subject_id} /></span>` },
        { name: t("state"), show: (/** @type {Event} */ row) => html`<${State} of=${row.status} group="event" />` },
        { name: t("webhook.outcome"), show: (/** @type {Event} */ row) => row.problem ?? "–" },
        { name: t("webhook.attempts"), right: true, show: (/** @type {Event} */ row) => String(row.attempts ?? "–") },
        { name: "", right: true, show: (/** @type {Event} */ row) => html`<${Button} small act=${() => replay(row)} label=${t("action.of", { action: t("webhook.replay"), name: row.type })}>${t("webhook.replay")}<//>` }]} />`}<//></div>
  </section>`;
}

/** @param {{id: string}} props */
function Details({ id }) {
  const live = useLive(`/webhook-event/${id}`);
  return html`<${Loaded} live=${live} lines=${3}>${(/** @type {any} */ event) => html`<pre tabindex="0">${JSON.stringify(event.body ?? event, null, 2)}</pre>`}<//>`;
}
