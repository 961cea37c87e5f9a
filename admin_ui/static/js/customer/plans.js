// What can be bought: a card per plan, in one currency, for me or for the workspace.

import { html, Shared, useEffect, useShared, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, Failure, PREFIX } from "../http.js";
import { Badge, Button, Choice, Empty, Loaded } from "../parts/ui.js";
import { link } from "../route.js";
import { PlanCard, priceOf } from "../parts/plan-card.js";
import { attempt } from "../parts/dialog.js";
import { toast } from "../parts/toasts.js";
import { leaveFor, rememberCheckout } from "./checkout.js";

const CURRENCY = "weighbridge.currency";
/** Chosen on this page. */
const chosen = new Shared(/** @type {string | null} */ (null));

/**
 * The currency that prices are shown in; `null`: nothing has a price.
 * @param {Plan[]} plans
 */
export function useCurrency(plans) {
  return useShared(chosen) ?? preferred(plans).first;
}

/**
 * The currency chosen before, else the reader's own by region, else the one most plans have.
 * @param {Plan[]} plans
 */
function preferred(plans) {
  const counted = new Map(/** @type {[string, number][]} */ ([]));
  for (const price of plans.flatMap((plan) => plan.prices ?? [])) counted.set(price.currency, (counted.get(price.currency) ?? 0) + 1);
  const offered = [...counted.keys()].sort((a, b) => (counted.get(b) ?? 0) - (counted.get(a) ?? 0));
  let kept = null;
  try {
    kept = localStorage.getItem(CURRENCY);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  const region = navigator.language.split("-")[1];
  const own = region === "BR" ? "brl" : region === "US" ? "usd" : null;
  const first = [kept, own].find((one) => one && counted.has(one)) ?? offered[0] ?? null;
  return { offered, first };
}

/**
 * @param {{about: About, me?: Me, workspace: {id: string, name: string} | null, plans: import("../live.js").Live<Plan[]>, subscriptions: Subscription[], usage: Usage[]}} props
 */
export function PlanCards({ about, me, workspace, plans, subscriptions, usage }) {
  const { offered } = preferred(plans.data ?? []);
  const currency = useCurrency(plans.data ?? []);
  const [scope, setScope] = useState(workspace ? "workspace" : "user");
  useEffect(() => setScope(workspace ? "workspace" : "user"), [workspace?.id]);
  const pick = (/** @type {string} */ one) => {
    chosen.set(one);
    try {
      localStorage.setItem(CURRENCY, one);
    } catch {
      // As above.
    }
  };
  const sells = about.payments.providers.length > 0;
  const mayBuy = scope === "user" || !me?.policies?.length || me.admin || me.policies.some((one) => one === "billing.manage" || one === "workspace.admin");
  return html`<section class="view" aria-labelledby="plans-title">
    <header class="section"><h2 id="plans-title">${t("plans")}</h2><div class="tools">
      ${workspace && sells && html`<${Choice} label=${t("plans.for")} value=${scope} change=${setScope} options=${[["user", t("plans.for-user")], ["workspace", t("plans.for-workspace", { name: workspace.name })]]} />`}
      ${offered.length > 1 && html`<${Choice} label=${t("currency")} value=${currency ?? ""} change=${pick} options=${offered.map((one) => [one, one.toUpperCase()])} />`}
    </div></header>
    ${workspace && sells && html`<p class="hint whose">${scope === "user" ? t("plans.for-user-what") : t("plans.for-workspace-what", { name: workspace.name })}</p>`}
    ${!sells && html`<p class="hint">${t("plans.not-sold")}${about.buy_url && about.buy_url !== `${location.origin}${PREFIX}` && html` <a href=${about.buy_url}>${t("plans.elsewhere")}</a>`}</p>`}
    ${sells && about.payments.demo && html`<p class="note">${t("plans.demo")}</p>`}
    ${sells && !mayBuy && html`<p class="note">${t("plans.may-not", { name: workspace?.name ?? "" })}</p>`}
    <${Loaded} live=${plans} what=${t("plans.failed")} lines=${5}>${(/** @type {Plan[]} */ all) => {
      const shown = all.filter((plan) => plan.active).sort(byPrice(currency));
      if (shown.length === 0) return html`<${Empty} title=${t("plans.none")}>${t("plans.none-do")}<//>`;
      return html`<div class="plans">${shown.map((plan) => html`<${Offer} key=${plan.id} plan=${plan} currency=${currency} sells=${sells} mayBuy=${mayBuy}
        current=${holder(plan, workspace, subscriptions, usage)} again=${bought(plan, scope, workspace, subscriptions)} scope=${scope} workspace=${workspace} gone=${plans.reload} />`)}</div>`;
    }}<//>
  </section>`;
}

/** @param {string | null} currency @returns {(a: Plan, b: Plan) => number} */
function byPrice(currency) {
  const worth = (/** @type {Plan} */ plan) => priceOf(plan, currency)?.price_cents ?? (plan.prices?.length ? Infinity : -1);
  return (a, b) => (worth(a) === worth(b) ? a.name.localeCompare(b.name) : worth(a) - worth(b));
}

/**
 * Whose plan this is now, in words; `null`: nobody's here.
 * @param {Plan} plan
 * @param {{id: string, name: string} | null} workspace
 * @param {Subscription[]} subscriptions
 * @param {Usage[]} usage
 */
function holder(plan, workspace, subscriptions, usage) {
  const mine = subscriptions.some((one) => one.plan_id === plan.id && one.scope === "user") || usage.some((one) => one.scope === "user" && !one.fallback && (one.plan === plan.slug || one.plan === plan.name));
  const theirs = workspace && (subscriptions.some((one) => one.plan_id === plan.id && one.scope === "workspace" && one.workspace_id === workspace.id)
    || usage.some((one) => one.scope === "workspace" && !one.fallback && (one.plan === plan.slug || one.plan === plan.name)));
  if (theirs && !mine) return t("plan.theirs", { name: workspace.name });
  return mine ? t("plan.current") : null;
}

/**
 * Whether who it would be bought for has bought it: then once more is beside it, and changes nothing of it.
 * @param {Plan} plan
 * @param {string} scope
 * @param {{id: string} | null} workspace
 * @param {Subscription[]} subscriptions
 */
function bought(plan, scope, workspace, subscriptions) {
  return subscriptions.some((one) => one.plan_id === plan.id && one.scope === scope && (scope === "user" || one.workspace_id === workspace?.id));
}

/**
 * @param {{plan: Plan, currency: string | null, sells: boolean, mayBuy: boolean, current: string | null, again: boolean, scope: string, workspace: {id: string, name: string} | null, gone: () => Promise<void>}} props `gone`: it is not sold any more, or not like this
 */
function Offer({ plan, currency, sells, mayBuy, current, again, scope, workspace, gone }) {
  const price = priceOf(plan, currency);
  const elsewhere = (plan.prices ?? []).map((one) => one.currency);
  /** @param {"payment" | "subscription"} mode */
  const buy = (mode) => attempt(async () => {
    const inWorkspace = scope === "workspace" ? workspace?.id : undefined;
    const asked = {
      plan_id: plan.id, currency: price?.currency, scope, workspace_id: inWorkspace, payment_mode: mode,
      success_url: `${location.origin}${PREFIX}-success`, cancel_url: `${location.origin}${PREFIX}-cancel`,
    };
    const opened = await api("/subscription/checkout", { method: "POST", workspace: inWorkspace, body: asked }).catch(async (failure) => {
      if (failure instanceof Failure && [404, 409, 422].includes(failure.status)) await gone();
      throw failure;
    });
    rememberCheckout({ external_id: opened?.external_id, plan: plan.name, workspace: inWorkspace ?? null });
    leaveFor(opened?.checkout_url);
  }, t("checkout.opening"), toast);
  return html`<${PlanCard} plan=${plan} price=${price} current=${current} elsewhere=${elsewhere}>
    ${sells && price && mayBuy ? html`${again && html`<p class="hint">${t("plan.again")} <a href=${link("subscriptions")}>${t("plan.again-see")}</a></p>`}<${Button} act=${() => buy("payment")} label=${t("action.of", { action: t("buy-once"), name: plan.name })}>${t("buy-once")}<//>
      ${!plan.pack && html`<${Button} kind="main" act=${() => buy("subscription")} label=${t("action.of", { action: t("subscribe"), name: plan.name })}>${t("subscribe")}<//>`}`
      : elsewhere.length === 0 ? plan.is_default ? html`<span class="muted">${t("plan.no-purchase")}</span>` : !current && html`<${Badge}>${t("plan.ask")}<//>` : price && !sells ? html`<${Badge}>${t("plan.ask")}<//>` : null}
  <//>`;
}
