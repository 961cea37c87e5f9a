// The form of a plan, with the card that customers will see beside it.

import { html, useState } from "../base.js";
import { t } from "../i18n.js";
import { currencies, decimal, exponent, minorUnits } from "../format.js";
import { api, Failure, withQuery } from "../http.js";
import { FormDialog } from "../parts/dialog.js";
import { Button, Check, Choice, Field } from "../parts/ui.js";
import { toast } from "../parts/toasts.js";
import { PlanCard, planLimits } from "../parts/plan-card.js";
import { onShown, Overtaken, useRevised } from "./revised.js";

const SECONDS = /** @type {Record<string, number>} */ ({ second: 1, minute: 60, hour: 3_600, day: 86_400 });
/** Windows that the calendar of a time zone says: how long they are is not for the form to choose. */
const CALENDAR = /** @type {Record<string, string>} */ ({ "calendar-day": "day", "calendar-month": "month" });
const UNITS = [...Object.keys(SECONDS), ...Object.keys(CALENDAR)];

/** @typedef {{amount: string, size: string, unit: string, refill: string, burst: string, was?: Limit}} LimitDraft `was`: the plan's own, of which the form does not show everything */
/** @typedef {{currency: string, amount: string}} PriceDraft */
/** @typedef {{burn_rank?: number | null, name: string, slug: string, description: string, kind: string, limits: LimitDraft[], duration_days: string, active: boolean, is_default: boolean, is_custom: boolean, apply_to: string, prices: PriceDraft[]}} Draft */

/** @param {Limit} limit @returns {LimitDraft} */
function limitDraft(limit) {
  const calendar = Object.keys(CALENDAR).find((one) => CALENDAR[one] === limit.anchor);
  const [unit, size] = calendar ? [calendar, limit.window_seconds] : Object.entries(SECONDS).reverse().find(([, one]) => limit.window_seconds > 0 && limit.window_seconds % one === 0) ?? ["second", 1];
  return { amount: String(limit.amount), size: String(limit.window_seconds / size || 1), unit, refill: limit.refill, burst: limit.burst ? String(limit.burst) : "", was: limit };
}

/** @param {LimitDraft} limit @returns {Record<string, any>} a limit as the API takes it, with the anchor that the plan's has */
function limitBody(limit) {
  const { was } = limit, window_seconds = (whole(limit.size) ?? 0) * (SECONDS[limit.unit] ?? 1);
  const calendar = CALENDAR[limit.unit];
  const kept = limit.refill === "interval" && was?.refill === "interval" && was.window_seconds === window_seconds && !Object.values(CALENDAR).includes(was.anchor ?? "") ? was.anchor : null;
  const anchor = calendar ?? kept;
  return {
    amount: whole(limit.amount) ?? limit.amount, refill: limit.refill, ...(was ? { meter: was.meter } : {}), ...(anchor ? { anchor } : {}),
    ...(calendar ? { time_zone: zoneOf(limit) } : { window_seconds }), ...(limit.refill === "continuous" && limit.burst ? { burst: whole(limit.burst) ?? limit.burst } : {}),
  };
}

/** Whose calendar it is. @param {LimitDraft} limit */
function zoneOf(limit) {
  return limit.was?.time_zone ?? "UTC";
}

/** @param {Plan | null} plan @param {boolean} [copy] @returns {Draft} */
function draftOf(plan, copy = false) {
  if (!plan) {
    return { name: "", slug: "", description: "", kind: "limits", limits: [{ amount: "1000", size: "1", unit: "hour", refill: "interval", burst: "" }], duration_days: "30", active: true, is_default: false, is_custom: false, apply_to: "current", prices: [] };
  }
  return {
    ...(copy && plan.burn_rank !== null && plan.burn_rank !== undefined ? { burn_rank: plan.burn_rank } : {}), // no field shows it
    name: copy ? t("plan.copy-of", { name: plan.name }) : plan.name, slug: copy ? `${plan.slug}-copy` : plan.slug, description: plan.description ?? "",
    kind: plan.unlimited ? "unlimited" : plan.pack ? "pack" : "limits",
    limits: plan.limits?.length ? plan.limits.map(limitDraft) : [limitDraft({ meter: "throughput", amount: plan.throughput_limit || 1000, window_seconds: plan.window_seconds || 3_600, refill: "interval" })],
    duration_days: String(plan.duration_days ?? 30), active: plan.active, is_default: copy ? false : plan.is_default, is_custom: plan.is_custom, apply_to: "current",
    prices: (plan.prices ?? []).map((price) => ({ currency: price.currency, amount: decimal(price.price_cents, exponent(price.currency)) })),
  };
}

/** @param {string} typed */
const whole = (typed) => (/^\s*-?\d{1,15}\s*$/.test(typed) ? Number(typed) : null);

/** Whether "per" is no whole number of its unit. @param {LimitDraft} limit */
const perWrong = (limit) => !((whole(limit.size) ?? 0) >= 1);

/** @param {Draft} draft @returns {Record<string, any>} what the API is sent; wrong numbers as they were typed, for it to refuse */
function bodyOf(draft) {
  const limits = draft.limits.map(limitBody);
  const terms = draft.kind === "unlimited" ? { unlimited: true } : draft.kind === "pack" ? { pack: true, unlimited: false, throughput_limit: limits[0]?.amount } : { unlimited: false, pack: false, limits };
  return { name: draft.name.trim(), slug: draft.slug.trim(), description: draft.description, duration_days: whole(draft.duration_days) ?? draft.duration_days, active: draft.active, is_default: draft.is_default, is_custom: draft.is_custom, ...(draft.burn_rank === undefined ? {} : { burn_rank: draft.burn_rank }), ...terms };
}

/**
 * @param {{plan?: Plan, copy?: boolean, close: () => void, done: () => Promise<void>}} props
 */
export function PlanForm({ plan, copy = false, close, done }) {
  const { row, draft, set, meet, overtaken } = useRevised(plan ?? null, (/** @type {Plan | null} */ one) => draftOf(one, copy));
  const editing = copy ? null : row;
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const wrong = (/** @type {string} */ field) => failure?.fields.find((one) => one.field === field || one.field.startsWith(`${field}.`))?.problem ?? null;

  const save = async () => {
    if (draft.kind === "limits" && draft.limits.some(perWrong)) throw new Failure(422, { message: t("plan.per-wrong") });
    const body = bodyOf(draft);
    if (editing) await onShown(`/plan/${editing.id}`, editing, (etag) => api(withQuery("/plan", { id: editing.id }), { method: "PUT", body: { ...body, apply_to: draft.apply_to }, etag }), meet);
    else await api("/plan", { method: "POST", body: { ...body, prices: pricesOf(draft) } });
    toast(t(editing ? "plan.saved" : "plan.made", { name: body.name }));
    await done();
  };
  const shown = previewOf(draft);
  return html`<${FormDialog} wide title=${t(editing ? "plan.edit" : "plan.new")} close=${close} save=${save} action=${t(editing ? "save" : "create")} failed=${setFailure}>
    <${Overtaken} changes=${overtaken} nameOf=${nameOf} show=${inWords} />
    <div class="form-and-card"><div class="form">
      <div class="form-row"><${Field} label=${t("name")} value=${draft.name} change=${(/** @type {string} */ name) => set(editing || slugged(draft.name) !== draft.slug ? { name } : { name, slug: slugged(name) })} required problem=${wrong("name")} />
        <${Field} label=${t("plan.slug")} value=${draft.slug} change=${(/** @type {string} */ slug) => set({ slug })} required problem=${wrong("slug")} hint=${t("plan.slug-hint")} /></div>
      <${Field} label=${t("description")} value=${draft.description} change=${(/** @type {string} */ description) => set({ description })} rows=${2} problem=${wrong("description")} />
      <${Choice} label=${t("plan.kind")} value=${draft.kind} change=${(/** @type {string} */ kind) => set({ kind })} options=${[["limits", t("plan.kind-limits")], ["pack", t("plan.kind-pack")], ["unlimited", t("unlimited")]]} />
      ${draft.kind !== "unlimited" && html`<${Limits} draft=${draft} set=${set} wrong=${wrong} />`}
      <div class="form-row"><${Field} label=${t("plan.duration-days")} value=${draft.duration_days} change=${(/** @type {string} */ duration_days) => set({ duration_days })} inputmode="numeric" required problem=${wrong("duration_days")} hint=${t("plan.duration-hint")} />
        ${editing && html`<${Field} label=${t("plan.apply")} value=${draft.apply_to} change=${(/** @type {string} */ apply_to) => set({ apply_to })} options=${[["current", t("plan.apply-current")], ["existing", t("plan.apply-existing")], ["new", t("plan.apply-new")]]} hint=${t("plan.apply-hint")} />`}</div>
      <div class="form-row"><${Check} label=${t("plan.active")} checked=${draft.active} change=${(/** @type {boolean} */ active) => set({ active })} hint=${t("plan.active-hint")} />
        <${Check} label=${t("plan.default")} checked=${draft.is_default} change=${(/** @type {boolean} */ is_default) => set({ is_default })} hint=${t("plan.default-hint")} />
        <${Check} label=${t("plan.custom")} checked=${draft.is_custom} change=${(/** @type {boolean} */ is_custom) => set({ is_custom })} hint=${t("plan.custom-what")} /></div>
      ${!editing && html`<${NewPrices} draft=${draft} set=${set} />`}
    </div><div><p class="legend-title">${t("plan.preview")}</p><${PlanCard} plan=${shown} price=${shown.prices?.[0] ?? null} heading="h3" /></div></div>
  <//>`;
}

const NAMES = /** @type {const} */ ({ name: "name", slug: "plan.slug", description: "description", kind: "plan.kind", limits: "plan.limits", duration_days: "plan.duration-days", active: "plan.active", is_default: "plan.default", is_custom: "plan.custom", prices: "prices" });

/** @param {string} field */
function nameOf(field) {
  return t(NAMES[/** @type {keyof typeof NAMES} */ (field)] ?? "details");
}

/** A field of a draft as people read it. @param {string} field @param {any} value */
function inWords(field, value) {
  if (field === "limits") return planLimits(previewOf({ ...draftOf(null), limits: value })).join(", ");
  if (field === "prices") return value.map((/** @type {PriceDraft} */ price) => `${price.amount} ${price.currency.toUpperCase()}`).join(", ") || "–";
  if (field === "kind") return value === "unlimited" ? t("unlimited") : t(value === "pack" ? "plan.kind-pack" : "plan.kind-limits");
  return typeof value === "boolean" ? t(value ? "yes" : "no") : value || "–";
}

/** @param {{draft: Draft, set: (changed: Partial<Draft>) => void, wrong: (field: string) => string | null}} props */
function Limits({ draft, set, wrong }) {
  const change = (/** @type {number} */ at, /** @type {Partial<LimitDraft>} */ changed) => set({ limits: draft.limits.map((limit, index) => (index === at ? { ...limit, ...changed } : limit)) });
  const pack = draft.kind === "pack";
  return html`<fieldset class="form"><legend>${t("plan.limits")}</legend>
    ${(pack ? draft.limits.slice(0, 1) : draft.limits).map((limit, at) => html`<div class="limit-row" key=${at}>
      <${Field} label=${t("units")} value=${limit.amount} change=${(/** @type {string} */ amount) => change(at, { amount })} inputmode="numeric" required problem=${wrong(`limits.${at}.amount`) ?? (at === 0 ? wrong("throughput_limit") : null)} />
      ${!pack && html`<${Field} label=${t("plan.per")} value=${limit.size} change=${(/** @type {string} */ size) => change(at, { size })} inputmode="numeric" required disabled=${limit.unit in CALENDAR} problem=${perWrong(limit) ? t("plan.per-wrong") : wrong(`limits.${at}.window_seconds`)} />
        <${Field} label=${t("plan.unit")} value=${limit.unit} change=${(/** @type {string} */ unit) => change(at, unit in CALENDAR ? { unit, size: "1" } : { unit })} hint=${limit.unit in CALENDAR ? zoneOf(limit) : null} problem=${wrong(`limits.${at}.anchor`)} options=${UNITS.map((unit) => [unit, t(/** @type {import("../i18n.js").Key} */ (`unit.${unit}`))])} />
        <${Field} label=${t("plan.refill")} value=${limit.refill} change=${(/** @type {string} */ refill) => change(at, { refill })} options=${[["interval", t("plan.refill-interval")], ["continuous", t("plan.refill-continuous")]]} />
        ${limit.refill === "continuous" && html`<${Field} label=${t("plan.burst")} value=${limit.burst} change=${(/** @type {string} */ burst) => change(at, { burst })} inputmode="numeric" problem=${wrong(`limits.${at}.burst`)} />`}`}
    </div>`)}
    ${pack ? html`<p class="hint">${t("plan.pack-hint")}</p>` : html`<p class="row-actions"><${Button} small act=${() => set({ limits: [...draft.limits, { amount: "10", size: "1", unit: "second", refill: "continuous", burst: "" }] })}>${t("plan.limit-add")}<//>
      ${draft.limits.length > 1 && html`<${Button} small kind="quiet" act=${() => set({ limits: draft.limits.slice(0, -1) })}>${t("plan.limit-remove")}<//>`}</p><p class="hint">${t("plan.limits-hint")}</p>`}
  </fieldset>`;
}

/** @param {{draft: Draft, set: (changed: Partial<Draft>) => void}} props */
function NewPrices({ draft, set }) {
  const change = (/** @type {number} */ at, /** @type {Partial<PriceDraft>} */ changed) => set({ prices: draft.prices.map((price, index) => (index === at ? { ...price, ...changed } : price)) });
  const problem = (/** @type {PriceDraft} */ price) => (price.amount && minorUnits(price.amount, price.currency) === null ? t("price.wrong", { digits: exponent(price.currency) }) : null);
  return html`<fieldset class="form"><legend>${t("prices")}</legend>
    ${draft.prices.map((price, at) => html`<div class="price-row" key=${at}>
      <${Field} label=${t("currency")} value=${price.currency} change=${(/** @type {string} */ currency) => change(at, { currency: currency.toLowerCase() })} list=${currencies()} required />
      <${Field} label=${t("amount")} value=${price.amount} change=${(/** @type {string} */ amount) => change(at, { amount })} inputmode="decimal" required problem=${problem(price)} />
      <${Button} small kind="quiet" act=${() => set({ prices: draft.prices.filter((_, index) => index !== at) })} label=${t("price.remove", { currency: price.currency.toUpperCase() })}>${t("remove")}<//></div>`)}
    <p><${Button} small act=${() => set({ prices: [...draft.prices, { currency: ["usd", "eur", "brl"].find((one) => !draft.prices.some((price) => price.currency === one)) ?? "", amount: "" }] })}>${t("price.add")}<//></p>
    <p class="hint">${t("price.first")}</p></fieldset>`;
}

/** @param {Draft} draft */
function pricesOf(draft) {
  return draft.prices.map((price, at) => {
    const minor = minorUnits(price.amount, price.currency);
    if (minor === null) throw new Failure(422, { message: t("price.wrong", { digits: exponent(price.currency) }) });
    return { currency: price.currency, price_cents: minor, is_default: at === 0 };
  });
}

/** @param {Draft} draft @returns {Plan} */
function previewOf(draft) {
  const body = bodyOf(draft);
  const limits = (body.limits ?? [{ amount: body.throughput_limit ?? 0, window_seconds: 0, refill: "never" }]).map((/** @type {any} */ limit, /** @type {number} */ at) => ({ meter: "throughput", window_seconds: draft.limits[at]?.was?.window_seconds ?? 0, ...limit, amount: Number(limit.amount) || 0 }));
  const prices = draft.prices.map((price) => ({ id: "", plan_id: "", currency: price.currency, price_cents: minorUnits(price.amount, price.currency) ?? 0, is_default: true }));
  return { ...body, id: "", throughput_limit: limits[0]?.amount ?? 0, window_seconds: limits[0]?.window_seconds ?? 0, limits, prices, name: draft.name, slug: draft.slug, duration_days: whole(draft.duration_days) ?? 30, is_default: draft.is_default, is_custom: draft.is_custom, active: draft.active };
}

/** @param {string} name */
function slugged(name) {
  return name.normalize("NFKD").replace(/[^\w\s.-]/g, "").trim().toLowerCase().replace(/[\s_]+/g, "-").slice(0, 64);
}
