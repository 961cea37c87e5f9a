// Subscriptions: what state each is in, when it renews or ends, and what can be done about it.

import { html, useEffect, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { api, PREFIX, withQuery } from "../http.js";
import { usePages } from "../pages.js";
import { useLive } from "../live.js";
import { link } from "../route.js";
import { serverNow } from "../clock.js";
import { ACTIONS, endName, endOf, stateOf } from "../subscription.js";
import { Badge, Button, Choice, Empty, Id, Loaded, State, Time } from "../parts/ui.js";
import { attempt, confirm } from "../parts/dialog.js";
import { toast } from "../parts/toasts.js";
import { useTurned } from "../parts/table.js";
import { planLimits } from "../parts/plan-card.js";
import { number } from "../format.js";
import { useLeavingIfGone } from "./leaving.js";
import { leaveFor, rememberCheckout } from "./checkout.js";
import { ChangePlan } from "./change-plan.js";

/** @param {{about: About, me?: Me, workspace: {id: string, name: string} | null}} props */
export function Subscriptions({ about, me, workspace }) {
  const [whose, setWhose] = useState("mine");
  useEffect(() => setWhose(workspace ? "workspace" : "mine"), [workspace?.id]);
  const inWorkspace = whose === "workspace" && workspace ? workspace.id : null;
  const { live, more } = usePages("/subscription", { created_at: "desc" }, { every: pace, workspace: inWorkspace });
  useLeavingIfGone(live.failure, inWorkspace ? workspace : null);
  const [changing, setChanging] = useState(/** @type {Subscription | null} */ (null));
  const plans = useLive(changing ? withQuery("/plan", { active: true, limit: 1000 }) : null);
  const sells = about.payments.providers.length > 0;
  const manages = !inWorkspace || me?.admin || !me?.policies?.length || me.policies.some((one) => one === "billing.manage" || one === "workspace.admin");

  const portal = () => attempt(async () => {
    const opened = await api("/portal", { method: "POST", harmless: true, workspace: inWorkspace, body: { return_url: `${location.origin}${PREFIX}#/subscriptions` } });
    leaveFor(opened?.url);
  }, t("portal.opening"), toast);

  return html`<section class="view" aria-labelledby="subscriptions-title">
    <header class="section"><h2 id="subscriptions-title">${t("subscriptions")}</h2><div class="tools">
      ${workspace && html`<${Choice} label=${t("history.whose")} value=${whose} change=${setWhose} options=${[["mine", t("mine")], ["workspace", workspace.name]]} />`}
      ${sells && manages && html`<${Button} small act=${portal}>${t("portal")}<//>`}
      <${Button} small kind="quiet" act=${live.reload}>${t("refresh")}<//>
    </div></header>
    <${Loaded} live=${live} what=${t("subscriptions.failed")} lines=${5}>${(/** @type {Subscription[]} */ rows) => html`
      ${rows.length === 0 && html`<${Empty} title=${t("subscriptions.none")}>${t("subscriptions.none-do")} <a href=${link("plans")}>${t("refused.see-plans")}</a><//>`}
      <${Cards} key=${whose} rows=${rows} more=${more} live=${live} workspace=${inWorkspace} manages=${manages} change=${setChanging} />`}<//>
    ${changing && html`<${ChangePlan} subscription=${changing} plans=${plans} workspace=${inWorkspace} close=${() => setChanging(null)} done=${live.reload} />`}
  </section>`;
}

/**
 * A page of them at a time: some have very many.
 * @param {{rows: Subscription[], more: (() => Promise<unknown>) | null, live: import("../live.js").Live<Subscription[]>, workspace: string | null, manages: boolean, change: (row: Subscription) => void}} props
 */
function Cards({ rows, more, live, workspace, manages, change }) {
  const { shown, pager } = useTurned(rows, { more, caption: t("subscriptions") });
  return html`<ul class="cards">${shown.map((row) => html`<${Row} key=${row.id} row=${row} live=${live} workspace=${workspace} manages=${manages} change=${() => change(row)} />`)}</ul>${pager}`;
}

/**
 * Often at first while a payment is on its way, for two minutes; many of them never arrive.
 * @param {Subscription[] | undefined} rows
 * @param {number} asked
 */
function pace(rows, asked) {
  return asked < 24 && rows?.some((row) => row.status === "pending") ? 5_000 : 30_000;
}

/**
 * @param {{row: Subscription, live: import("../live.js").Live<Subscription[]>, workspace: string | null, manages: boolean, change: () => void}} props
 */
function Row({ row, live, workspace, manages, change }) {
  const state = stateOf(row, serverNow());
  const offered = manages ? ACTIONS(row, state) : [];
  const name = row.plan?.name ?? row.plan_id;
  const act = actions(row, live, workspace, change);
  return html`<li class="card" aria-label=${name}>
    <header><h3>${name}</h3><${State} of=${state} /><span class="spread"></span>
      <${Badge}>${tWord("scope", row.scope)}<//><${Badge}>${tWord("mode", row.payment_mode)}<//></header>
    <p class="state-words">${t(`state-words.${state}`)}</p>
    <dl class="facts">
      <div><dt>${t("starts")}</dt><dd><${Time} at=${row.starts_at} /></dd></div>
      <div><dt>${t(endName(row, state))}</dt><dd>${endOf(row, state) ? html`<${Time} at=${endOf(row, state)} />` : t("never")}</dd></div>
      ${row.next_plan_id && html`<div><dt>${t("next-plan")}</dt><dd><${Time} at=${row.period_end} /></dd></div>`}
      ${row.cancelled_at && html`<div><dt>${t("cancelled-at")}</dt><dd><${Time} at=${row.cancelled_at} /></dd></div>`}
      ${row.plan && html`<div><dt>${t("limit")}</dt><dd>${planLimits(row.plan).join(" · ")}</dd></div>`}
      ${row.throughput_override !== null && row.throughput_override !== undefined && html`<div><dt>${t("override")}</dt><dd>${row.throughput_override <= 0 ? t("unlimited") : number(row.throughput_override)}</dd></div>`}
      <div><dt>${t("provider")}</dt><dd>${tWord("provider", row.payment_provider)}</dd></div>
      <div><dt>${t("id")}</dt><dd><${Id} id=${row.id} /></dd></div>
    </dl>
    ${offered.length > 0 && html`<footer>${offered.map((action) => html`<${Button} key=${action} small act=${act[action]} kind=${action === "cancel" ? "quiet" : action === "resume" || action === "pay" ? "main" : "plain"} label=${t("action.of", { action: t(`action.${action}`), name })}>${t(`action.${action}`)}<//>`)}</footer>`}
  </li>`;
}

/**
 * @param {Subscription} row
 * @param {import("../live.js").Live<Subscription[]>} live
 * @param {string | null} workspace
 * @param {() => void} change
 * @returns {Record<import("../subscription.js").Action, () => unknown>}
 */
function actions(row, live, workspace, change) {
  const at = (/** @type {string} */ path) => withQuery(path, { id: row.id });
  const show = (/** @type {Partial<Subscription>} */ changed) => live.change((rows) => rows.map((one) => (one.id === row.id ? { ...one, ...changed } : one)));
  const post = (/** @type {string} */ path, /** @type {Partial<import("../http.js").Asked>} */ more = {}) => api(at(path), { method: "POST", workspace, ...more });
  return {
    cancel: () => confirm({
      title: t("cancel-it.title"), text: t(row.status === "pending" ? "cancel-it.pending" : "cancel-it.text"), action: t("action.cancel"), back: t("cancel-it.back"),
      save: async () => {
        await api(at("/subscription"), { method: "DELETE", workspace });
        if (row.status !== "pending") show({ cancel_at_period_end: true });
        toast(t(row.status === "pending" ? "cancel-it.pending-done" : "cancel-it.done"));
        await live.reload();
      },
    }),
    // Nothing is lost by showing it at once: if the server refuses, the next answer shows it as it is.
    reactivate: () => attempt(async () => {
      show({ cancel_at_period_end: false });
      try {
        await post("/subscription/reactivate");
      } catch (failure) {
        show({ cancel_at_period_end: true });
        throw failure;
      } finally {
        await live.reload();
      }
    }, t("action.reactivate-done"), toast),
    sync: () => attempt(async () => {
      await post("/subscription/sync", { harmless: true });
      await live.reload();
    }, t("action.sync-done"), toast),
    pay: () => attempt(async () => {
      leaveFor(await post("/subscription/retry", { harmless: true, accept: "text/plain, application/json" }));
    }, t("checkout.opening"), toast),
    resume: () => attempt(async () => {
      const opened = await post("/subscription/checkout-url", { harmless: true, body: { success_url: `${location.origin}${PREFIX}-success`, cancel_url: `${location.origin}${PREFIX}-cancel` } });
      rememberCheckout({ id: row.id, external_id: row.payment_external_id ?? undefined, plan: row.plan?.name, workspace });
      if (opened?.checkout_url) {
        leaveFor(opened.checkout_url);
        return;
      }
      await live.reload();
      toast(t("checkout.gone"));
    }, "", toast),
    change,
  };
}
