// The history of a scope's usage: the last hour, day or month by rule, or what was refused.

import { html, useMemo, useState } from "../base.js";
import { t } from "../i18n.js";
import { api, withQuery } from "../http.js";
import { serverNow } from "../clock.js";
import { useLive } from "../live.js";
import { Choice, Empty, Loaded, Time } from "./ui.js";
import { buckets, Chart, seriesOf } from "./chart.js";

const MINUTE = 60_000;
/** @typedef {import("../live.js").Pace<Point[]>} Pace */
/** @type {Record<string, {granularity: string, size: number, length: number, every: Pace}>} */
export const RANGES = {
  hour: { granularity: "minute", size: MINUTE, length: 60 * MINUTE, every: hourly },
  day: { granularity: "hour", size: 60 * MINUTE, length: 24 * 60 * MINUTE, every: 120_000 },
  month: { granularity: "day", size: 1440 * MINUTE, length: 30 * 1440 * MINUTE, every: 600_000 },
};
const MOST_PORTIONS = 10;
const FIRST_MS = [2_000, 3_000, 5_000];
const THEN_MS = 15_000;
/** How many points make an answer too dear to ask for it so often. */
const MANY = 1_000;

/**
 * What has just happened is in the history a second or two later: who comes because of a refusal must not wait for the
 * second answer to see why.
 * @param {Point[] | undefined} points
 * @param {number} asked
 */
function hourly(points, asked) {
  if (points && points.length > MANY) return 2 * THEN_MS;
  return FIRST_MS[asked - 1] ?? THEN_MS;
}

/**
 * What a history is called while it is followed: a scope, a range, and what tells its points apart.
 * @param {string} scope
 * @param {string} id
 * @param {string} range
 */
export function historyPath(scope, id, range, by = "rule") {
  return withQuery("/usage/history", { scope, id, range, by });
}

/** @typedef {NonNullable<History["rules"]>} RulesNow @type {WeakMap<Point[], {rules: RulesNow, whole: string | null}>} */
const aboutOf = new WeakMap();

/**
 * What the rules of a history cost now, and who pays them.
 * @param {Point[] | undefined} points from `useHistory`
 * @returns {RulesNow}
 */
export function rulesNow(points) {
  return (points && aboutOf.get(points)?.rules) ?? {};
}

/**
 * What a point is of.
 * @param {Point} point
 */
export function ruleName(point) {
  return point.rule ?? t(point.every ? "rule.every" : "rule.none");
}

/**
 * Since when rules are not told apart, because there are too many: the figures are right all the same.
 * @param {{points: Point[]}} props
 */
export function Summed({ points }) {
  const since = aboutOf.get(points)?.whole;
  return since ? html`<p class="note">${t("history.summed")} <${Time} at=${since} /></p>` : null;
}

/**
 * The points of a range that ends now, and goes on with it.
 * @param {string | null} name from `historyPath`
 * @param {{workspace?: string | null}} [how]
 * @returns {import("../live.js").Live<Point[]>}
 */
export function useHistory(name, { workspace = null } = {}) {
  const asked = new URLSearchParams(name?.split("?")[1] ?? "");
  const range = RANGES[asked.get("range") ?? "hour"] ?? RANGES.hour;
  return useLive(name, { every: range?.every ?? MINUTE, workspace, load: (signal) => history(asked, range, workspace, signal) });
}

/**
 * @param {URLSearchParams} asked
 * @param {{granularity: string, size: number, length: number} | undefined} range
 * @param {string | null} workspace
 * @param {AbortSignal} signal
 */
async function history(asked, range, workspace, signal) {
  if (!range) return [];
  const to = Math.floor(serverNow() / range.size + 1) * range.size;
  let from = new Date(to - range.length).toISOString();
  /** @type {Point[]} */
  const points = [];
  let rules = /** @type {RulesNow} */ ({}), whole = /** @type {string | null} */ (null);
  const { scope, id, by: wanted } = Object.fromEntries(asked);
  for (let portion = 0; ; portion += 1) {
    // Of ten thousand rules each minute is a portion of its own. What is left then is asked for in all: the newest, which must not be missing.
    if (portion === MOST_PORTIONS && wanted === "rule") whole = from;
    const by = whole ? "total" : wanted;
    const path = withQuery("/usage/history", { scope, id, by, granularity: range.granularity, from, to: new Date(to).toISOString(), limit: 1000 });
    const answer = await api(path, { workspace, signal });
    for (const point of answer.points) points.push(whole ? { ...point, every: true } : point);
    rules = { ...rules, ...answer.rules };
    if (!answer.next_from || Date.parse(answer.next_from) <= Date.parse(from)) break;
    from = answer.next_from;
  }
  aboutOf.set(points, { rules, whole });
  return points;
}

/**
 * @param {{scopes: {scope: string, id: string, name: string}[], workspace: string | null, title?: string, waits?: boolean, hours?: Record<string, import("../live.js").Live<Point[]>>, aheadOf?: (scope: string) => import("./chart.js").Ahead | null}} props
 *   `waits`: whose it is will be known soon; `hours`: the last hour of each kind of scope, which is followed already; `aheadOf`: what comes after it
 */
export function UsageHistory({ scopes, workspace, title, waits = false, hours = {}, aheadOf }) {
  const [range, setRange] = useState("hour");
  const [what, setWhat] = useState("amount");
  const [picked, setPicked] = useState(/** @type {string | null} */ (null));
  const scope = scopes.find((one) => one.id === picked) ?? scopes[0];
  const followed = range === "hour" && scope ? hours[scope.scope] : undefined;
  const asked = useHistory(scope && !followed ? historyPath(scope.scope, scope.id, range) : null, { workspace: scope?.scope === "user" ? null : workspace });
  const live = followed ?? asked;
  if (!scope && !waits) return null;
  return html`<section class="view" aria-labelledby="history-title">
    <header class="section"><h2 id="history-title">${title ?? t("history")}</h2><div class="tools">
      ${scopes.length > 1 && html`<${Choice} label=${t("history.whose")} value=${scope?.id ?? ""} change=${setPicked} options=${scopes.map((one) => [one.id, one.name])} />`}
      <${Choice} label=${t("history.what")} value=${what} change=${setWhat} options=${[["amount", t("units")], ["requests", t("requests")], ["refused", t("refused")]]} />
      <${Choice} label=${t("history.range")} value=${range} change=${setRange} options=${[["hour", t("range.hour")], ["day", t("range.day")], ["month", t("range.month")]]} />
    </div></header>
    <div class="panel chart-panel"><${Loaded} live=${live} what=${t("history.failed")} lines=${6}>${(/** @type {Point[]} */ points) => html`<${Summed} points=${points} /><${Bars} points=${points} range=${range} what=${what} ahead=${scope && range === "hour" && what === "amount" ? aheadOf?.(scope.scope) : null} />`}<//></div>
  </section>`;
}

/** @param {{points: Point[], range: string, what: string, nameOf?: (point: Point) => string, ahead?: import("./chart.js").Ahead | null}} props */
export function Bars({ points, range, what, nameOf, ahead }) {
  const { size, length } = RANGES[range] ?? { size: MINUTE, length: 60 * MINUTE };
  const to = Math.floor(serverNow() / size + 1) * size;
  const starts = useMemo(() => buckets(to - length, to, size), [to, length, size]);
  const series = useMemo(() => seriesOf(points, starts, nameOf ?? ruleName, (point) => Number(point[/** @type {"amount"} */ (what)] ?? 0)), [points, starts, what]);
  const unit = t(what === "amount" ? "units" : what === "requests" ? "requests" : "refused");
  if (series.length === 0) return html`<${Empty} title=${t(what === "refused" ? "history.none-refused" : "history.none")}>${t(what === "refused" ? "history.none-refused-do" : "history.none-do")}<//>`;
  return html`<${Chart} series=${series} starts=${starts} size=${size} title=${t("chart.title", { unit })} unit=${unit} ahead=${ahead} />`;
}
