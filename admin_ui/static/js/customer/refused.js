// What happened to me: a refusal (429) explained, with the time it ends and what would help.

import { html } from "../base.js";
import { t, tWord } from "../i18n.js";
import { countdown, throughput } from "../format.js";
import { useSecond } from "../clock.js";
import { scopesOf } from "../budget.js";

/**
 * @param {{usage: Usage[], plans?: Plan[], workspace: {id: string, name: string} | null, recent: {user: {data?: Point[]}, workspace: {data?: Point[]}}}} props
 */
export function Refused({ usage, plans, workspace, recent }) {
  const second = useSecond();
  const scopes = scopesOf(usage);
  const empty = scopes.filter((one) => one.empty);
  const refused = refusedLately(recent);
  if (empty.length === 0) return null;
  const payers = scopes.filter((one) => !one.empty && one.entries.length > 0);
  const name = (/** @type {string} */ scope) => (scope === "workspace" && workspace ? workspace.name : tWord("scope", scope));
  if (payers.length > 0) {
    return html`<div class="note warn" role="status"><strong>${t("refused.one-empty", { who: empty.map((one) => name(one.scope)).join(", ") })}</strong>
      ${" "}${t("refused.other-pays", { who: payers.map((one) => name(one.scope)).join(", ") })}</div>`;
  }
  const waits = empty.flatMap((one) => one.entries).filter((entry) => entry.remaining <= 0).map((entry) => ({ entry, left: entry.resets_at ? Date.parse(entry.resets_at) / 1000 - second : Infinity }));
  const soonest = Math.min(...waits.map((one) => (one.entry.refill === "continuous" ? 1 : one.left)));
  return html`<section class="refused" aria-labelledby="refused-title">
    <h2 id="refused-title">${t("refused.title")}</h2>
    <p>${t("refused.what")}</p>
    <p class="refused-wait" role="timer">${Number.isFinite(soonest) ? html`${t("refused.until")} <strong class="count">${countdown(soonest)}</strong>` : t("refused.never")}</p>
    <ul>${waits.map(({ entry, left }) => html`<li><strong>${name(entry.scope)}</strong>: ${t("refused.budget", { limit: entry.throughput_limit, plan: entry.plan ?? "–" })}${" "}
      ${Number.isFinite(left) && left > 0 ? t("refused.refills", { left: countdown(left) }) : Number.isFinite(left) ? t("refused.refilled") : t("refused.no-refill")}</li>`)}</ul>
    ${refused > 0 && html`<p class="muted">${t("refused.count", { n: refused })}</p>`}
    <${Help} plans=${plans ?? []} usage=${empty.flatMap((one) => one.entries)} />
  </section>`;
}

/** @param {{user: {data?: Point[]}, workspace: {data?: Point[]}}} recent the last hour */
export function refusedLately(recent) {
  return [...(recent.user.data ?? []), ...(recent.workspace.data ?? [])].reduce((sum, point) => sum + point.refused, 0);
}

/** @param {{plans: Plan[], usage: Usage[]}} props */
function Help({ plans, usage }) {
  const had = Math.max(0, ...usage.map((entry) => (entry.window_seconds ? entry.throughput_limit / entry.window_seconds : 0)));
  const larger = plans
    .filter((plan) => plan.prices?.length && (plan.unlimited || plan.throughput_limit <= 0 || plan.throughput_limit / plan.window_seconds > had))
    .sort((a, b) => a.throughput_limit / a.window_seconds - b.throughput_limit / b.window_seconds);
  if (larger.length === 0) return html`<p>${t("refused.no-plans")}</p>`;
  const scroll = () => document.getElementById("plans-title")?.scrollIntoView({ block: "start" });
  return html`<p>${t("refused.buy")} ${larger.slice(0, 3).map((plan, at) => html`${at > 0 && ", "}<strong>${plan.name}</strong> (${plan.unlimited || plan.throughput_limit <= 0 ? t("unlimited") : throughput(plan.throughput_limit, plan.window_seconds)})`)}.
    ${" "}<button type="button" class="linkish" onClick=${scroll}>${t("refused.see-plans")}</button></p>`;
}
