// A plan as customers see it; the admin's form shows the same while it is being written.

import { html } from "../base.js";
import { t, tWord } from "../i18n.js";
import { duration, money, throughput } from "../format.js";
import { Badge } from "./ui.js";

/**
 * The limits of a plan in words.
 * @param {Plan} plan
 * @returns {string[]}
 */
export function planLimits(plan) {
  if (plan.unlimited || (plan.throughput_limit <= 0 && !plan.limits?.length)) return [t("unlimited")];
  const limits = plan.limits?.length ? plan.limits : [{ meter: "throughput", amount: plan.throughput_limit, window_seconds: plan.window_seconds, refill: "interval" }];
  return limits.map((limit) => {
    const steady = throughput(limit.amount, limit.window_seconds, limit.anchor);
    const paced = limit.burst && limit.burst !== limit.amount ? t("plan.at-once", { pace: steady, burst: limit.burst }) : steady;
    const text = limit.amount <= 0 ? t("unlimited") : plan.pack ? t("plan.pack", { amount: limit.amount }) : paced;
    return limit.meter === "throughput" ? text : `${text} (${tWord("meter", limit.meter)})`;
  });
}

/**
 * The price in a currency, or the one the plan prefers.
 * @param {Plan} plan
 * @param {string | null} currency
 */
export function priceOf(plan, currency) {
  const prices = plan.prices ?? [];
  return prices.find((price) => price.currency === currency) ?? null;
}

/**
 * @param {{plan: Plan, price: Price | null, current?: string | null, elsewhere?: string[], children?: any, heading?: string}} props
 */
export function PlanCard({ plan, price, current = null, elsewhere = [], children, heading = "h3" }) {
  return html`<article class=${`plan ${current ? "current" : ""}`} aria-label=${plan.name || t("plan.unnamed")}>
    <header><${heading}>${plan.name || t("plan.unnamed")}<//>${current ? html`<${Badge} tone="good">${current}<//>` : plan.is_default && html`<${Badge}>${t("plan.default")}<//>`}</header>
    <p class="plan-price">${price ? html`<strong>${money(price.price_cents, price.currency)}</strong>${plan.duration_days ? html`<span class="muted"> / ${duration(plan.duration_days * 86_400)}</span>` : null}`
      : elsewhere.length ? html`<span class="muted">${t("plan.elsewhere", { currencies: elsewhere.map((one) => one.toUpperCase()).join(", ") })}</span>` : plan.is_default ? html`<strong>${t("plan.free")}</strong>` : html`<span class="muted">${t("plan.given")}</span>`}</p>
    <ul class="plan-limits">${planLimits(plan).map((text) => html`<li>${text}</li>`)}</ul>
    ${plan.description && html`<p class="muted plan-words">${plan.description}</p>`}
    ${children && html`<footer>${children}</footer>`}
  </article>`;
}
