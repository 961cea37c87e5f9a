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
  return [entry.scope, entry.workspace_id ?? entry.user_id ?? "", entry.plan ?? "", entry.purse ?? "", entry.meter ?? "", entry.window_seconds, entry.refill ?? "", entry.fallback].join(" ");
}

/** How much of it there is at most: more than comes back in a window where bursts are allowed. @param {Usage} entry */
export function capacityOf(entry) {
  return entry.burst ?? entry.throughput_limit;
}

/**
 * A limit as it stands at an instant, if nobody has spent since it was told.
 * @param {Usage} entry
 * @param {number} at milliseconds
 * @returns {Usage}
 */
export function standingAt(entry, at) {
  if (entry.unlimited || !entry.resets_at) return entry;
  const remaining = leftAt(entry, at);
  const full = at >= Date.parse(entry.resets_at);
  return { ...entry, remaining, current_usage: Math.max(0, capacityOf(entry) - remaining), resets_at: full ? null : entry.resets_at };
}

/**
 * What is left of a limit at an instant, if nobody spends meanwhile.
 * @param {Usage} entry
 * @param {number} at milliseconds
 */
function leftAt(entry, at) {
  if (entry.unlimited) return Infinity;
  const full = entry.resets_at ? Date.parse(entry.resets_at) : null;
  const capacity = capacityOf(entry);
  if (full === null) return entry.remaining; // it is full, or a pack
  if (at >= full) return capacity;
  if (entry.refill !== "continuous") return entry.remaining;
  // It comes back evenly and is full at `full`: so much is missing still.
  const missing = ((full - at) / 1000) * (entry.throughput_limit / entry.window_seconds);
  return Math.max(entry.remaining, Math.floor(capacity - missing));
}

/**
 * Limits of one purse hold together, of purses one is enough, and what is left in several adds up.
 * @param {Usage[]} entries of one scope and meter, without fallback ones
 * @param {number} at milliseconds
 */
export function payableAt(entries, at) {
  const purses = new Map(/** @type {[string, number][]} */ ([]));
  for (const entry of entries) {
    const purse = String(entry.purse ?? (entry.unlimited ? "unlimited" : entry.plan ?? ""));
    purses.set(purse, Math.min(purses.get(purse) ?? Infinity, leftAt(entry, at)));
  }
  return [...purses.values()].reduce((sum, left) => sum + Math.max(0, left), 0);
}

/**
 * The earliest instant from `now` on at which so much can be paid, as the gateway's `Retry-After` has it; `null`: never.
 * @param {Usage[]} entries of one scope and meter, without fallback ones
 * @param {number} cost
 * @param {number} now milliseconds
 */
export function whenPayable(entries, cost, now) {
  if (payableAt(entries, now) >= cost) return now;
  const fulls = [...new Set(entries.flatMap((entry) => (entry.resets_at ? [Date.parse(entry.resets_at)] : [])))].filter((at) => at > now).sort((a, b) => a - b);
  const smooth = entries.some((entry) => entry.refill === "continuous");
  let before = now;
  for (const full of fulls) {
    if (payableAt(entries, full) >= cost) return smooth ? firstBetween(before, full, (at) => payableAt(entries, at) >= cost) : full;
    before = full;
  }
  return null;
}

/**
 * @param {number} before it does not hold here
 * @param {number} after it holds here
 * @param {(at: number) => boolean} holds and goes on to hold
 */
function firstBetween(before, after, holds) {
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (holds(middle)) after = middle;
    else before = middle;
  }
  return after;
}

/**
 * The scopes that have budgets, in the order in which they are asked to pay, with their limits of a meter.
 * @param {Usage[]} usage
 * @param {string} [meter]
 * @returns {{scope: string, entries: Usage[]}[]}
 */
export function scopesOf(usage, meter = "throughput") {
  const kinds = [...new Set(usage.map((entry) => entry.scope))].sort((a, b) => Number(b === "workspace") - Number(a === "workspace"));
  return kinds.map((scope) => ({ scope, entries: usage.filter((entry) => entry.scope === scope && !entry.fallback && (entry.meter ?? "throughput") === meter) }))
    .filter((one) => one.entries.length > 0);
}

/**
 * Which scope can pay a cost first, and when: the least of them all; `at` `null`: none, however long one waits.
 * @param {{scope: string, entries: Usage[]}[]} scopes
 * @param {number} cost
 * @param {number} now milliseconds
 * @returns {{scope: string | null, at: number | null}}
 */
export function firstToPay(scopes, cost, now) {
  /** @type {{scope: string | null, at: number | null}} */
  let first = { scope: null, at: null };
  for (const { scope, entries } of scopes) {
    const at = whenPayable(entries, cost, now);
    if (at !== null && (first.at === null || at < first.at)) first = { scope, at };
  }
  return first;
}

/**
 * @typedef {object} Standing
 * @property {string} meter
 * @property {{scope: string, entries: Usage[]}[]} scopes
 * @property {boolean} empty whether no scope can pay one unit
 * @property {string[]} drained scopes that cannot
 */

/**
 * How things are on each meter.
 * @param {Usage[]} usage
 * @param {number} now milliseconds
 * @returns {Standing[]}
 */
export function standings(usage, now) {
  const meters = [...new Set(usage.filter((entry) => !entry.fallback).map((entry) => entry.meter ?? "throughput"))];
  return meters.map((meter) => {
    const scopes = scopesOf(usage, meter);
    const drained = scopes.filter((one) => payableAt(one.entries, now) < 1).map((one) => one.scope);
    return { meter, scopes, empty: drained.length === scopes.length, drained };
  });
}

/**
 * A rule whose requests were refused of late, and would be now. `left`: what whoever pays them has at most.
 * @typedef {{rule: string, meter: string, cost: number, left: number, refused: number, pays: string[], at: number | null}} TooDear
 */

/**
 * Rules that are refused although something is left: it is less than they cost, or those who pay them have none.
 * @param {Standing[]} standing
 * @param {Point[]} points of the last hour, by rule
 * @param {import("./parts/history.js").RulesNow} rules
 * @param {number} now milliseconds
 * @returns {TooDear[]}
 */
export function tooDear(standing, points, rules, now) {
  const refused = new Map(/** @type {[string, number][]} */ ([]));
  for (const point of points) if (point.refused && point.rule) refused.set(point.rule, (refused.get(point.rule) ?? 0) + point.refused);
  return [...refused].flatMap(([rule, times]) => standing.flatMap(({ meter, scopes }) => {
    const counts = rules[rule];
    const cost = counts?.cost[meter] ?? 0;
    const payers = scopes.filter((one) => counts?.pays.includes(one.scope));
    const left = Math.max(0, ...payers.map((one) => payableAt(one.entries, now)));
    return cost > left ? [{ rule, meter, cost, left, refused: times, pays: payers.map((one) => one.scope), at: firstToPay(payers, cost, now).at }] : [];
  }));
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

/** @typedef {ReturnType<typeof forecast>} Forecast */

/**
 * The same for one limit of several: purses are spent in their order, so only the first that can pay is spent at all.
 * @param {Usage} entry
 * @param {Usage[]} usage every limit there is
 * @param {number} perSecond units that its scope has spent in a second, lately
 * @param {number} now milliseconds
 * @returns {Forecast | {kind: "waits" | "held", at?: undefined}} `waits`: a purse before it pays; `held`: another limit of its purse is used up
 */
export function forecastAmong(entry, usage, perSecond, now) {
  if (entry.unlimited || leftAt(entry, now) <= 0) return forecast(standingAt(entry, now), perSecond, now);
  const beside = (scopesOf(usage, entry.meter).find((one) => one.scope === entry.scope)?.entries ?? []).filter((one) => !one.unlimited);
  const purse = entry.purse ?? 0;
  if (payableAt(beside.filter((one) => (one.purse ?? 0) < purse), now) > 0) return { kind: "waits" };
  if (payableAt(beside.filter((one) => (one.purse ?? 0) === purse), now) <= 0) return { kind: "held" };
  return forecast(standingAt(entry, now), perSecond, now);
}

/**
 * When a scope can pay nothing more if it spends as it did just now: of one purse the first limit that is spent, of
 * several all that is left in them.
 * @param {Usage[]} entries of one scope and meter, without fallback ones
 * @param {number} perSecond
 * @param {number} now milliseconds
 * @returns {Forecast}
 */
export function scopeForecast(entries, perSecond, now) {
  const left = payableAt(entries, now);
  if (left <= 0) return { kind: "gone" };
  if (perSecond <= 0) return { kind: "quiet" };
  if (new Set(entries.map((entry) => entry.purse)).size > 1) {
    const at = now + (left / perSecond) * 1000;
    const back = entries.some((entry) => entry.resets_at && Date.parse(entry.resets_at) <= at);
    return back || left === Infinity ? { kind: "lasts" } : { kind: "empty", at };
  }
  const ends = entries.flatMap((entry) => forecast(standingAt(entry, now), perSecond, now).at ?? []);
  return ends.length > 0 ? { kind: "empty", at: Math.min(...ends) } : { kind: "lasts" };
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
