// Every subscription there is: found by filters, given by hand, extended, changed, ended.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { number } from "../format.js";
import { serverNow } from "../clock.js";
import { withQuery } from "../http.js";
import { everyRow, usePages } from "../pages.js";
import { useLive } from "../live.js";
import { useNames, Who } from "../names.js";
import { save } from "../csv.js";
import { Button, Check, Empty, Failed, Field, Loaded, State, Time } from "../parts/ui.js";
import { useSettled } from "../parts/scope-picker.js";
import { Table } from "../parts/table.js";
import { toast } from "../parts/toasts.js";
import { Grant } from "./grant.js";
import { Manage } from "./manage.js";
import { exactState, STATES } from "./states.js";

export function AllSubscriptions() {
  const [filters, setFilters] = useState({ text: "", scope: "", state: "", plan_id: "", active: false });
  const set = (/** @type {Partial<typeof filters>} */ changed) => setFilters((was) => ({ ...was, ...changed }));
  const text = useSettled(filters.text.trim());
  const asked = { ...filters, text, active: filters.active || null, created_at: "desc" };
  const { live, more } = usePages("/subscription/all", asked, { every: 30_000 });
  const plans = useLive(withQuery("/plan", { limit: 1000 }), { every: 120_000 });
  const nameOf = useNames();
  const [granting, setGranting] = useState(false);
  const [managed, setManaged] = useState(/** @type {Subscription | null} */ (null));
  const download = async () => {
    const { rows, cut } = await everyRow("/subscription/all", asked);
    save("subscriptions.csv", rows.map((/** @type {Subscription} */ { plan, ...row }) => ({ ...row, plan: plan?.slug ?? row.plan_id })));
    if (cut) toast(t("csv.cut", { n: rows.length }), { bad: true });
  };
  return html`<section aria-labelledby="subscriptions-title"><header class="section"><h2 id="subscriptions-title">${t("admin.subscriptions")}</h2><div class="tools">
      <${Button} small act=${download}>${t("csv")}<//><${Button} kind="main" small act=${() => setGranting(true)}>${t("grant")}<//></div></header>
    <div class="filters"><div class="grow field"><${Field} label=${t("search")} value=${filters.text} change=${(/** @type {string} */ one) => set({ text: one })} type="search" placeholder=${t("subscription.search")} /></div>
      <${Field} label=${t("scope")} value=${filters.scope} change=${(/** @type {string} */ scope) => set({ scope })} options=${[["", t("all")], ["user", tWord("kind", "user")], ["workspace", tWord("kind", "workspace")]]} />
      <${Field} label=${t("state")} value=${filters.state} change=${(/** @type {string} */ state) => set({ state })} options=${[["", t("all")], ...STATES.map((one) => [one, tWord("state", one)])]} />
      <${Field} label=${t("plan")} value=${filters.plan_id} change=${(/** @type {string} */ plan_id) => set({ plan_id })} options=${[["", t("all")], ...(plans.data ?? []).map((/** @type {Plan} */ plan) => [plan.id, plan.name])]} />
      <${Check} label=${t("subscription.counting")} checked=${filters.active} change=${(/** @type {boolean} */ active) => set({ active })} /></div>
    ${plans.failure && html`<${Failed} failure=${plans.failure} retry=${plans.reload} what=${t("plans.failed")} />`}
    <div class="panel"><${Loaded} live=${live} what=${t("subscriptions.failed")} lines=${6}>${(/** @type {Subscription[]} */ rows) => html`<${Table} key=${JSON.stringify(asked)} rows=${rows} more=${more} caption=${t("admin.subscriptions")}
      empty=${html`<${Empty} title=${t("subscription.none")}>${t("subscription.none-do")}<//>`} columns=${columns(nameOf, setManaged)} />`}<//></div>
    ${granting && html`<${Grant} plans=${plans} close=${() => setGranting(false)} done=${live.reload} />`}
    ${managed && html`<${Manage} subscription=${managed} nameOf=${nameOf} close=${() => setManaged(null)} done=${live.reload} />`}
  </section>`;
}

/**
 * @param {(kind: string, id: string | null | undefined) => string | null} nameOf
 * @param {(row: Subscription) => void} manage
 * @returns {import("../parts/table.js").Column<Subscription>[]}
 */
const columns = (nameOf, manage) => [
  { name: t("scope"), wide: true, show: (row) => {
    const id = row.scope === "workspace" ? row.workspace_id : row.user_id;
    return html`<${Who} kind=${row.scope} id=${id} name=${nameOf(row.scope, id)} />`;
  } },
  { name: t("plan"), wide: true, show: (row) => row.plan?.name ?? row.plan_id },
  { name: t("state"), show: (row) => html`<${State} of=${exactState(row, serverNow())} />` },
  { name: t("starts"), show: (row) => html`<${Time} at=${row.starts_at} exact="date" />` },
  { name: t("subscription.ends"), show: (row) => (row.expires_at ? html`<${Time} at=${row.expires_at} exact="date" />` : t("never")) },
  { name: t("override"), right: true, show: (row) => (row.throughput_override === null || row.throughput_override === undefined ? "–" : row.throughput_override <= 0 ? t("unlimited") : number(row.throughput_override)) },
  { name: t("provider"), show: (row) => `${tWord("provider", row.payment_provider)}, ${tWord("mode", row.payment_mode)}` },
  { name: "", right: true, show: (row) => (row.source === "file" ? html`<span class="muted" title=${t("from-file")}>${t("file")}</span>` : html`<${Button} small act=${() => manage(row)} label=${t("action.of", { action: t("manage"), name: row.plan?.name ?? row.plan_id })}>${t("manage")}<//>`) },
];
