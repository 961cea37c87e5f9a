// What happened to me: a refusal (429) explained, with the time it ends and what would help.

import { html } from "../base.js";
import { t, tWord } from "../i18n.js";
import { countdown } from "../format.js";
import { useSecond } from "../clock.js";
import { capacityOf, firstToPay, standings, tooDear, whenPayable } from "../budget.js";
import { rulesNow } from "../parts/history.js";
import { planLimits, priceOf } from "../parts/plan-card.js";
import { useCurrency } from "./plans.js";

const MOST_RULES = 3;
const MOST_PLANS = 3;

/** @typedef {{user: {data?: Point[]}, workspace: {data?: Point[]}}} Recent the last hour of each, by rule */
/** @typedef {import("../budget.js").Standing} Standing */

/**
 * Nothing passes, or some things do not, or another pays: at most one of these is said.
 * @param {{usage: Usage[], plans?: Plan[], sells: boolean, workspace: {id: string, name: string} | null, recent: Recent}} props
 */
export function Refused({ usage, plans, sells, workspace, recent }) {
  const now = useSecond() * 1000;
  const all = standings(usage, now);
  const name = (/** @type {string} */ scope) => (scope === "workspace" && workspace ? workspace.name : tWord("scope", scope));
  const empty = all.filter((one) => one.empty);
  if (empty.length > 0) return html`${empty.map((standing) => html`<${Nothing} key=${standing.meter} standing=${standing} plans=${plans} sells=${sells} name=${name} now=${now} refused=${refusedLately(recent)} />`)}`;
  const dear = tooDear(all, pointsOf(recent), { ...rulesNow(recent.user.data), ...rulesNow(recent.workspace.data) }, now);
  if (dear.length > 0) return html`<${Some} dear=${dear} plans=${plans} sells=${sells} usage=${usage} name=${name} now=${now} />`;
  const drained = all.flatMap((one) => one.drained);
  if (drained.length === 0) return null;
  const payers = all.flatMap((one) => one.scopes.map((each) => each.scope)).filter((scope) => !drained.includes(scope));
  return html`<div class="note warn" role="status"><strong>${t("refused.one-empty", { who: names(drained, name) })}</strong>
    ${payers.length > 0 && html` ${t("refused.other-pays", { who: names(payers, name) })}`}</div>`;
}

/** @param {string[]} scopes @param {(scope: string) => string} name */
function names(scopes, name) {
  return [...new Set(scopes)].map(name).join(", ");
}

/**
 * No scope can pay one unit.
 * @param {{standing: Standing, plans?: Plan[], sells: boolean, name: (scope: string) => string, now: number, refused: number}} props
 */
function Nothing({ standing, plans, sells, name, now, refused }) {
  const { at } = firstToPay(standing.scopes, 1, now);
  const unit = tWord("meter", standing.meter);
  const spent = standing.scopes.flatMap((one) => one.entries).filter((entry) => !entry.unlimited && entry.remaining <= 0);
  return html`<section class="refused" aria-labelledby=${`refused-${standing.meter}`}>
    <h2 id=${`refused-${standing.meter}`}>${standing.meter === "throughput" ? t("refused.title") : t("refused.title-meter", { unit })}</h2>
    <p>${t("refused.what")}</p>
    <p class="refused-wait" role="timer">${at === null ? t("refused.never") : html`${t("refused.until")} <strong class="count">${countdown((at - now) / 1000)}</strong>`}</p>
    <ul>${spent.map((entry) => html`<li><strong>${name(entry.scope)}</strong>: ${t("refused.budget", { limit: capacityOf(entry), unit: tWord("meter", standing.meter, capacityOf(entry)), plan: entry.plan ?? "–" })} ${refill(entry, now)}</li>`)}</ul>
    ${refused > 0 && html`<p class="muted">${t("refused.count", { n: refused })}</p>`}
    <${Help} plans=${plans ?? []} sells=${sells} usage=${spent} least=${1} />
  </section>`;
}

/**
 * Something is left, and it is less than what some requests cost.
 * @param {{dear: import("../budget.js").TooDear[], plans?: Plan[], sells: boolean, usage: Usage[], name: (scope: string) => string, now: number}} props
 */
function Some({ dear, plans, sells, usage, name, now }) {
  const spent = usage.filter((entry) => !entry.fallback && !entry.unlimited && dear.some((one) => one.pays.includes(entry.scope)));
  return html`<section class="refused" aria-labelledby="refused-some">
    <h2 id="refused-some">${t("refused.some-title")}</h2>
    <p>${t("refused.some-what")}</p>
    <ul>${dear.slice(0, MOST_RULES).map((one) => html`<li><strong>${one.rule}</strong>: ${one.pays.length === 0 ? t("refused.nobody-pays", { cost: one.cost, unit: tWord("meter", one.meter, one.cost) })
      : t("refused.too-dear", { cost: one.cost, unit: tWord("meter", one.meter, one.cost), left: one.left, who: names(one.pays, name) })}${" "}
      ${one.at === null ? t("refused.too-dear-ever") : html`${t("refused.until")} <strong class="count" role="timer">${countdown((one.at - now) / 1000)}</strong>.`}${" "}
      <span class="muted">${t("refused.count", { n: one.refused })}</span></li>`)}</ul>
    ${dear.length > MOST_RULES && html`<p class="muted">${t("refused.more-rules", { n: dear.length - MOST_RULES })}</p>`}
    <${Help} plans=${plans ?? []} sells=${sells} usage=${spent} least=${Math.max(...dear.map((one) => one.cost))} />
  </section>`;
}

/** @param {Usage} entry @param {number} now */
function refill(entry, now) {
  const at = whenPayable([entry], 1, now);
  if (at === null) return t("refused.no-refill");
  return at > now ? t("refused.refills", { left: countdown((at - now) / 1000) }) : t("refused.refilled");
}

/** @param {Recent} recent */
function pointsOf(recent) {
  return [...(recent.user.data ?? []), ...(recent.workspace.data ?? [])];
}

/**
 * Whether anything would be refused now, so that it is explained above.
 * @param {Usage[]} usage
 * @param {Recent} recent
 * @param {number} now milliseconds
 */
export function isRefusing(usage, recent, now) {
  const all = standings(usage, now);
  return all.some((one) => one.empty) || tooDear(all, pointsOf(recent), { ...rulesNow(recent.user.data), ...rulesNow(recent.workspace.data) }, now).length > 0;
}

/** @param {Recent} recent */
export function refusedLately(recent) {
  return pointsOf(recent).reduce((sum, point) => sum + point.refused, 0);
}

/** A plan's units a second; a pack's come at once and are worth more than any pace. @param {Plan} plan */
function paceOf(plan) {
  return plan.unlimited || plan.throughput_limit <= 0 || plan.pack || !plan.window_seconds ? Infinity : plan.throughput_limit / plan.window_seconds;
}

/**
 * Plans that would help: packs add to what is there, others have to be larger than what there was.
 * @param {{plans: Plan[], sells: boolean, usage: Usage[], least: number}} props `least`: what has to be payable at once
 */
function Help({ plans, sells, usage, least }) {
  const currency = useCurrency(plans);
  const had = Math.max(0, ...usage.map((entry) => (entry.window_seconds && entry.refill !== "never" ? entry.throughput_limit / entry.window_seconds : 0)));
  const larger = plans
    .filter((plan) => paceOf(plan) > had && (plan.unlimited || plan.throughput_limit <= 0 || plan.throughput_limit >= least) && (!sells || plan.prices?.length))
    .sort((a, b) => Number(paceOf(a) === Infinity) - Number(paceOf(b) === Infinity) || a.throughput_limit - b.throughput_limit);
  const help = sells ? larger.filter((plan) => priceOf(plan, currency)) : larger;
  if (help.length === 0) return html`<p>${larger.length > 0 ? t("refused.other-currency", { currency: (currency ?? "").toUpperCase() }) : t("refused.no-plans")}</p>`;
  const scroll = () => document.getElementById("plans-title")?.scrollIntoView({ block: "start" });
  return html`<p>${t(sells ? "refused.buy" : "refused.ask")} ${help.slice(0, MOST_PLANS).map((plan, at) => html`${at > 0 && ", "}<strong>${plan.name}</strong> (${planLimits(plan).join(" · ")})`)}.
    ${" "}<button type="button" class="linkish" onClick=${scroll}>${t("refused.see-plans")}</button></p>`;
}
