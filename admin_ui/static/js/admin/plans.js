// Plans: what can be sold. Made, changed, copied, priced, and looked at as customers will see them.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { duration, money } from "../format.js";
import { api, withQuery } from "../http.js";
import { usePages } from "../pages.js";
import { Badge, Button, Check, Empty, Field, Loaded } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { confirm } from "../parts/dialog.js";
import { toast } from "../parts/toasts.js";
import { planLimits } from "../parts/plan-card.js";
import { useSettled } from "../parts/scope-picker.js";
import { PlanForm } from "./plan-form.js";
import { Prices } from "./prices.js";
import { onShown } from "./revised.js";

export function Plans() {
  const [text, setText] = useState("");
  const [active, setActive] = useState(false);
  const wanted = useSettled(text.trim());
  const { live, more } = usePages("/plan", { text: wanted, active: active || null }, { every: 60_000 });
  const [open, setOpen] = useState(/** @type {{kind: "new" | "copy" | "edit" | "prices", plan?: Plan} | null} */ (null));
  const close = () => setOpen(null);

  const remove = (/** @type {Plan} */ plan) => confirm({
    title: t("plan.delete", { name: plan.name }), text: t("plan.delete-text"), action: t("delete"),
    save: async () => {
      await onShown(`/plan/${plan.id}`, plan, (etag) => api(withQuery("/plan", { id: plan.id }), { method: "DELETE", etag }), live.reload);
      toast(t("plan.deleted", { name: plan.name }));
      await live.reload();
    },
  });
  return html`<section aria-labelledby="plans-title"><header class="section"><h2 id="plans-title">${t("admin.plans")}</h2><div class="tools"><${Button} kind="main" small act=${() => setOpen({ kind: "new" })}>${t("plan.new")}<//></div></header>
    <div class="filters"><div class="grow field"><${Field} label=${t("search")} value=${text} change=${setText} type="search" placeholder=${t("plan.search")} /></div><${Check} label=${t("plan.only-active")} checked=${active} change=${setActive} /></div>
    <div class="panel"><${Loaded} live=${live} what=${t("plans.failed")} lines=${6}>${(/** @type {Plan[]} */ rows) => html`<${Table} key=${`${wanted} ${active}`} rows=${rows} more=${more} caption=${t("admin.plans")}
      empty=${html`<${Empty} title=${t(wanted || active ? "nothing-found" : "plan.none")}>${t(wanted || active ? "nothing-found-do" : "plan.none-do")}<//>`} columns=${columns(setOpen, remove)} />`}<//></div>
    ${open && open.kind !== "prices" && html`<${PlanForm} plan=${open.plan} copy=${open.kind === "copy"} close=${close} done=${live.reload} />`}
    ${open?.kind === "prices" && open.plan && html`<${Prices} plan=${(live.data ?? []).find((/** @type {Plan} */ one) => one.id === open.plan?.id) ?? open.plan} close=${close} done=${live.reload} />`}
  </section>`;
}

/**
 * @param {(open: {kind: "new" | "copy" | "edit" | "prices", plan?: Plan}) => void} open
 * @param {(plan: Plan) => void} remove
 * @returns {import("../parts/table.js").Column<Plan>[]}
 */
const columns = (open, remove) => [
  { name: t("name"), wide: true, show: (plan) => html`<strong>${plan.name}</strong> ${plan.is_default && html`<${Badge} tone=${plan.effective_default === false ? "warn" : "info"} title=${plan.effective_default === false ? t("plan.default-overruled") : undefined}>${t("plan.default")}<//>`} ${plan.is_custom && html`<${Badge} title=${t("plan.custom-what")}>${t("plan.custom")}<//>`} <span class="muted"><br /><code>${plan.slug}</code></span>` },
  { name: t("limit"), show: (plan) => planLimits(plan).map((text) => html`<div>${text}</div>`) },
  { name: t("prices"), show: (plan) => (plan.prices?.length ? plan.prices.map((price) => html`<div>${money(price.price_cents, price.currency)}</div>`) : html`<span class="muted">${t(plan.is_default ? "plan.free" : "plan.given")}</span>`) },
  { name: t("plan.duration"), show: (plan) => (plan.duration_days ? duration(plan.duration_days * 86_400) : "–") },
  { name: t("state"), show: (plan) => (plan.source === "file" ? html`<${Badge} title=${t("from-file")}>${t("file")}<//>` : html`<${Badge} tone=${plan.active ? "good" : "none"}>${t(plan.active ? "plan.active" : "plan.inactive")}<//>`) },
  { name: "", right: true, show: (plan) => html`<span class="row-actions">
    ${plan.source !== "file" && html`<${Button} small act=${() => open({ kind: "edit", plan })} label=${t("action.of", { action: t("edit"), name: plan.name })}>${t("edit")}<//><${Button} small act=${() => open({ kind: "prices", plan })} label=${t("action.of", { action: t("prices"), name: plan.name })}>${t("prices")}<//>`}
    <${Button} small act=${() => open({ kind: "copy", plan })} label=${t("action.of", { action: t("duplicate"), name: plan.name })}>${t("duplicate")}<//>
    ${plan.source !== "file" && html`<${Button} small kind="quiet" act=${() => remove(plan)} label=${t("action.of", { action: t("delete"), name: plan.name })}>${t("delete")}<//>`}</span>` },
];
