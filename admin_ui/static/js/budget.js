// What usage says about budgets: how full they are, who is refused, and when one will be empty. Plain arithmetic.

/** @typedef {"good" | "warn" | "bad"} Tone */

/**
 * @param {number} used
 * @param {number} limit
 * @returns {Tone}
 */
export function toneOf(used, limit) {
  const share = limit > 0 ? used / limit : 1;
  return share > 0.9 ? "bad" : share > 0.7 ? "warn" : "good";
}

/** @param {Usage} entry */
export function usageKey(entry) {
  return [entry.scope, entry.workspace_id ?? entry.user_id ?? "", entry.plan ?? "", entry.meter ?? "", entry.window_seconds, entry.refill ?? "", entry.fallback].join(" ");
}

/**
 * Whether nobody in this scope's purses can pay: of each plan some limit is used up. Limits of one plan hold together;
 * of several plans one is enough.
 * @param {Usage[]} entries of one scope, without fallback ones
 */
export function isEmpty(entries) {
  const purses = new Map(/** @type {[string, Usage[]][]} */ ([]));
  for (const entry of entries) purses.set(entry.plan ?? "", [...(purses.get(entry.plan ?? "") ?? []), entry]);
  return [...purses.values()].every((purse) => purse.some((entry) => !entry.unlimited && entry.remaining <= 0));
}

/**
 * The scopes that have budgets, each with its entries and whether it is empty.
 * @param {Usage[]} usage
 */
export function scopesOf(usage) {
  const kinds = [...new Set(usage.map((entry) => entry.scope))].sort((a, b) => Number(b === "workspace") - Number(a === "workspace"));
  return kinds.map((scope) => {
    const entries = usage.filter((entry) => entry.scope === scope && !entry.fallback);
    return { scope, entries, empty: entries.length > 0 && isEmpty(entries) };
  });
}

/**
 * When a budget will be empty if it is spent as it was just now.
 * @param {Usage} entry
 * @param {number} perSecond units spent in a second, lately
 * @param {number} now milliseconds
 * @returns {{kind: "quiet" | "lasts" | "empty" | "gone", at?: number}}
 */
export function forecast(entry, perSecond, now) {
  if (entry.unlimited) return { kind: "lasts" };
  if (entry.remaining <= 0) return { kind: "gone" };
  const back = entry.refill === "continuous" && entry.window_seconds > 0 ? entry.throughput_limit / entry.window_seconds : 0;
  const net = perSecond - back;
  if (perSecond <= 0) return { kind: "quiet" };
  if (net <= 0) return { kind: "lasts" };
  const at = now + (entry.remaining / net) * 1000;
  const resets = entry.resets_at && !back ? Date.parse(entry.resets_at) : Infinity;
  return at >= resets ? { kind: "lasts" } : { kind: "empty", at };
}

/**
 * Units a second over the newest `seconds` of minutes.
 * @param {Point[]} points minutes
 * @param {number} now milliseconds
 * @param {number} [seconds]
 */
export function spentPerSecond(points, now, seconds = 600) {
  const since = now - seconds * 1000;
  const spent = points.filter((point) => Date.parse(point.start) >= since).reduce((sum, point) => sum + point.amount, 0);
  return spent / seconds;
}
