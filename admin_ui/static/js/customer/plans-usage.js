// Plans & Usage: what is left and until when, what used it, whether somebody is being refused, and what can be bought.

import { html, useShared } from "../base.js";
import { t, tWord } from "../i18n.js";
import { duration, minuteOf, rate, windowName } from "../format.js";
import { useLive } from "../live.js";
import { listOrNone, withQuery } from "../http.js";
import { scopeForecast, spentPerSecond, usageKey } from "../budget.js";
import { serverNow } from "../clock.js";
import { session } from "../session.js";
import { stateOf } from "../subscription.js";
import { Button, Empty, Loaded, Missing } from "../parts/ui.js";
import { Gauge } from "../parts/gauge.js";
import { historyPath, useHistory, UsageHistory } from "../parts/history.js";
import { useLeaving } from "./leaving.js";
import { isRefusing, Refused, refusedLately } from "./refused.js";
import { PlanCards } from "./plans.js";

const EVERY = 10_000;
/** What seldom changes: plans, and which of them are held. */
const SELDOM = 120_000;
const THROUGHPUT = "throughput";

/** @typedef {{about: About, me?: Me, workspace: {id: string, name: string} | null}} Shared */

/** @param {Shared} props */
export function PlansAndUsage({ about, me, workspace }) {
  useShared(session);
  const usage = useLive("/usage", { every: EVERY, workspace: workspace?.id });
  const onOffer = withQuery("/plan", { active: true, limit: 1000 });
  const inForce = withQuery("/subscription", { limit: 200, active: true });
  const plans = useLive(onOffer, { every: SELDOM, load: (signal) => listOrNone(onOffer, { signal }) });
  const held = useLive(inForce, { every: SELDOM, workspace: workspace?.id, load: (signal) => listOrNone(inForce, { signal, workspace: workspace?.id }) });
  const own = useLive(workspace ? inForce : null, { every: SELDOM, load: (signal) => listOrNone(inForce, { signal }) });
  const recent = {
    user: useHistory(me?.user_id ? historyPath("user", me.user_id, "hour") : null), // one's own, whatever becomes of the workspace
    workspace: useHistory(workspace ? historyPath("workspace", workspace.id, "hour") : null, { workspace: workspace?.id }),
  };
  useLeaving(usage.failure, workspace);
  /** @param {Usage} entry */
  const perSecond = (entry) => {
    const history = recent[/** @type {"user" | "workspace"} */ (entry.scope)];
    const points = history?.data;
    if (!points && history?.failure) return NaN;
    return points ? spentPerSecond(points.filter((point) => !point.meter || !entry.meter || point.meter === entry.meter), serverNow()) : null;
  };
  const counting = ["active", "trialing", "cancelling", "past_due"];
  const subscriptions = [...(held.data ?? []), ...(own.data ?? [])].filter((row) => counting.includes(stateOf(row, serverNow())));
  return html`
    ${usage.data && html`<${Refused} usage=${named(usage.data, plans.data, subscriptions)} plans=${plans.data} sells=${about.payments.providers.length > 0} workspace=${workspace} recent=${recent} />`}
    <section class="view" aria-labelledby="usage-title">
      <header class="section"><h2 id="usage-title">${t("usage")}</h2><div class="tools"><${Button} small kind="quiet" act=${() => Promise.all([usage, recent.user, recent.workspace, plans, held, own].map((one) => one.reload()))}>${t("refresh")}<//></div></header>
      <div class=${workspace ? "usage-body of-both" : "usage-body"}><${Loaded} live=${usage} what=${t("usage.failed")} lines=${4}>${(/** @type {Usage[]} */ entries) => html`
        ${entries.length === 0 ? html`<${Empty} title=${t("usage.none")}>${t("usage.none-do")}<//>` : html`
          <div class="gauges">${inOrder(named(entries, plans.data, subscriptions)).map((entry) => html`<${Gauge} whose=${entry.scope === "workspace" ? workspace?.name : null} key=${usageKey(entry)} entry=${entry} usage=${entries} perSecond=${perSecond(entry)} name=${gaugeName(entry, workspace)} />`)}</div>`}
        <p class="hint under">${notes(about, workspace, entries, isRefusing(entries, recent, serverNow()) ? 0 : refusedLately(recent))}${"\u00a0"}</p>`}<//></div>
    </section>
    <${UsageHistory} scopes=${historyScopes(me, workspace)} workspace=${workspace?.id ?? null} waits=${!me} hours=${recent} aheadOf=${(/** @type {string} */ scope) => aheadOf(usage.data ?? [], scope, recent[/** @type {"user" | "workspace"} */ (scope)]?.data)} />
    <${Missing} live=${held.failure ? held : own} what=${t("held.failed")} />
    <${PlanCards} about=${about} me=${me} workspace=${workspace} plans=${plans} subscriptions=${subscriptions} usage=${usage.data ?? []} />`;
}

/**
 * What else is to be said, in one line.
 * @param {About} about
 * @param {{id: string, name: string} | null} workspace
 * @param {Usage[]} entries
 * @param {number} refused
 */
function notes(about, workspace, entries, refused) {
  const said = [];
  if (refused > 0) said.push(t("refused.before", { n: refused }));
  if (!workspace && about.login.upstream) said.push(t("usage.choose-workspace"));
  if (workspace && !entries.some((entry) => entry.scope === "workspace")) said.push(t("usage.workspace-none", { name: workspace.name }));
  return said.join(" ");
}

/**
 * With the names of plans that people know, instead of those that programs use.
 * @param {Usage[]} entries
 * @param {Plan[] | undefined} plans on offer
 * @param {Subscription[]} held which may be to others
 */
function named(entries, plans, held) {
  const names = new Map([...held.flatMap((row) => row.plan ?? []), ...(plans ?? [])].map((plan) => [plan.slug, plan.name]));
  return entries.map((entry) => ({ ...entry, plan: entry.plan?.split("+").map((slug) => names.get(slug) ?? slug).join(" + ") }));
}

/** In the order in which they are asked to pay. @param {Usage[]} entries */
function inOrder(entries) {
  const rank = (/** @type {Usage} */ entry) => Number(entry.scope !== "workspace") + 2 * Number(entry.fallback);
  return [...entries].sort((a, b) => rank(a) - rank(b));
}

/** @param {Usage} entry @param {{name: string} | null} workspace */
function gaugeName(entry, workspace) {
  const whose = entry.scope === "workspace" && workspace ? workspace.name : tWord("scope", entry.scope);
  const window = entry.anchor ? windowName(entry.window_seconds, entry.anchor) : entry.window_seconds ? duration(entry.window_seconds) : "";
  return [whose, entry.plan, window, entry.fallback ? t("fallback") : ""].filter(Boolean).join(", ");
}

/**
 * What the chart of the last hour goes on with.
 * @param {Usage[]} usage
 * @param {string} scope
 * @param {Point[] | undefined} points of the last hour
 * @returns {import("../parts/chart.js").Ahead | null}
 */
function aheadOf(usage, scope, points) {
  const now = serverNow();
  const entries = usage.filter((entry) => entry.scope === scope && !entry.fallback && (entry.meter ?? THROUGHPUT) === THROUGHPUT);
  const spent = spentPerSecond((points ?? []).filter((point) => (point.meter || THROUGHPUT) === THROUGHPUT), now);
  const seen = scopeForecast(entries, spent, now);
  if (entries.length === 0 || seen.kind === "quiet" || seen.kind === "gone") return null;
  const level = spent * 60;
  const mark = seen.at ? minuteOf(seen.at, now) : "";
  const words = t(seen.at ? "ahead.empty" : "ahead.lasts", { n: rate(level), at: mark });
  return { level, at: seen.at ?? null, mark, words };
}

/**
 * @param {Me | undefined} me
 * @param {{id: string, name: string} | null} workspace
 * @returns {{scope: string, id: string, name: string}[]}
 */
function historyScopes(me, workspace) {
  return [
    ...(workspace ? [{ scope: "workspace", id: workspace.id, name: workspace.name }] : []),
    ...(me?.user_id ? [{ scope: "user", id: me.user_id, name: t("scope.user") }] : []),
  ];
}
