// Usage over time as stacked bars, with the same figures as a table, and what comes if it goes on like this.

import { html, useEffect, useMemo, useRef, useState, useShared } from "../base.js";
import { locale, t } from "../i18n.js";
import { moment, number, utc } from "../format.js";
import { theme } from "../theme.js";
import { draw } from "./plot.js";
import { Time } from "./ui.js";

const COLOURS = 7;
const DAY_MS = 86_400_000;

/** @typedef {{name: string, values: number[], total: number}} Series */

/**
 * What comes if things go on like this: so much in each bucket to come, until `at`, if that is seen already. `words`: the same for people.
 * @typedef {{level: number, at: number | null, mark: string, words: string}} Ahead
 */
/** So many buckets of the future are shown, where anything is known of it. */
const BUCKETS_AHEAD = 15;

/**
 * Points of a history as series over all its buckets: the greatest first, the small ones together at the end.
 * @param {Point[]} points
 * @param {number[]} starts of all buckets, milliseconds
 * @param {(point: Point) => string} nameOf
 * @param {(point: Point) => number} valueOf
 * @returns {Series[]}
 */
export function seriesOf(points, starts, nameOf, valueOf) {
  const places = new Map(starts.map((start, place) => [start, place]));
  const named = new Map(/** @type {[string, Series][]} */ ([]));
  for (const point of points) {
    const place = places.get(Date.parse(point.start));
    const value = valueOf(point);
    if (place === undefined || !value) continue;
    const name = nameOf(point);
    const series = named.get(name) ?? { name, values: starts.map(() => 0), total: 0 };
    series.values[place] = (series.values[place] ?? 0) + value;
    series.total += value;
    named.set(name, series);
  }
  const all = [...named.values()].sort((a, b) => b.total - a.total);
  if (all.length <= COLOURS) return all;
  const small = all.slice(COLOURS - 1);
  const others = { name: t("chart.others", { n: small.length }), values: starts.map((_, at) => small.reduce((sum, one) => sum + (one.values[at] ?? 0), 0)), total: small.reduce((sum, one) => sum + one.total, 0) };
  return [...all.slice(0, COLOURS - 1), others];
}

/**
 * The beginnings of all buckets of a length between two instants.
 * @param {number} from milliseconds
 * @param {number} to
 * @param {number} size milliseconds
 */
export function buckets(from, to, size) {
  const starts = [];
  for (let start = Math.floor(from / size) * size; start < to && starts.length < 2_000; start += size) starts.push(start);
  return starts;
}

/**
 * @param {{series: Series[], starts: number[], size: number, title: string, unit: string, ahead?: Ahead | null}} props `size`: of a bucket, milliseconds
 */
export function Chart({ series, starts, size, title, unit, ahead = null }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [missing, setMissing] = useState(false);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const shown = useShared(theme);
  const label = (/** @type {number} */ start) => bucketLabel(start, size);
  const data = useMemo(() => stacked(series, starts), [series, starts]);
  const all = ahead ? [...starts, ...Array.from({ length: BUCKETS_AHEAD }, (_, at) => (starts.at(-1) ?? 0) + (at + 1) * size)] : starts;
  const end = ahead?.at ? Math.floor((ahead.at - (starts[0] ?? 0)) / (size / 4)) / 4 : null; // by quarters of a bucket: nobody sees less
  const placed = useMemo(() => ahead && { level: ahead.level, from: starts.length, end, mark: ahead.mark }, [ahead?.level, ahead?.mark, starts.length, end]);
  useEffect(() => {
    const box = place.current;
    if (!box) return undefined;
    let gone = false;
    /** @type {(() => void) | undefined} */
    let clear;
    const redraw = async () => {
      const labels = all.map(label);
      const drawn = await draw(box, { data, count: series.length, labels, ahead: placed }, setAt, () => gone).catch(() => null);
      setMissing(drawn === null);
      if (drawn === null) return;
      clear?.();
      clear = drawn;
      if (gone) clear?.();
    };
    void redraw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", redraw);
    return () => {
      gone = true;
      dark.removeEventListener("change", redraw);
      clear?.();
    };
  }, [data, placed, shown, locale()]);
  const total = series.reduce((sum, one) => sum + one.total, 0);
  return html`<figure class="chart" aria-label=${title}>
    <div class="chart-plot" ref=${place} role="img" aria-label=${[t("chart.summary", { title, total: number(total), unit }), ahead?.words].filter(Boolean).join(" ")}></div>
    ${missing && html`<p class="note">${t("chart.missing")}</p>`}
    <p class="chart-at muted">${at === null ? t("chart.total") : html`<${Start} at=${starts[at] ?? 0} size=${size} />`}${size >= DAY_MS && html` · ${t("chart.days")}`}</p>
    <ul class="legend">${series.map((one, index) => html`<li key=${one.name}><span class=${`swatch c${index + 1}`} aria-hidden="true"></span><span class="legend-name">${one.name}</span>
      <span class="legend-value">${number(at === null ? one.total : one.values[at] ?? 0)}</span></li>`)}
      ${ahead && html`<li class="legend-ahead"><span class="dashes" aria-hidden="true"></span><span class="muted">${ahead.words}</span></li>`}</ul>
    <details class="as-table"><summary>${t("chart.table")}</summary><div class="table-box scroll" tabindex="0" role="region" aria-label=${title}><table><caption class="hidden">${title}</caption>
      <thead><tr><th scope="col">${t("time")}</th>${series.map((one) => html`<th scope="col" class="right">${one.name}</th>`)}</tr></thead>
      <tbody>${starts.map((start, index) => series.some((one) => one.values[index]) && html`<tr><th scope="row"><${Start} at=${start} size=${size} /></th>${series.map((one) => html`<td class="right">${number(one.values[index] ?? 0)}</td>`)}</tr>`)}</tbody></table></div></details>
  </figure>`;
}

/**
 * @param {number} start
 * @param {number} size
 */
export function bucketLabel(start, size) {
  // Days are those of the server, which counts in UTC; shorter buckets are shown in the viewer's zone.
  if (size >= DAY_MS) return new Date(start).toLocaleDateString(locale(), { day: "numeric", month: "short", timeZone: "UTC" });
  return moment(start, "time");
}

/**
 * When a bucket begins, with UTC on hover.
 * @param {{at: number, size: number}} props
 */
function Start({ at, size }) {
  return size >= DAY_MS ? html`<time datetime=${new Date(at).toISOString()} title=${utc(at)}>${bucketLabel(at, size)}</time>` : html`<${Time} at=${at} exact="time" />`;
}

/**
 * For each series the sum of it and all before it: drawn from the last to the first, each covers the next.
 * @param {Series[]} series
 * @param {number[]} starts
 * @returns {number[][]}
 */
function stacked(series, starts) {
  const sums = starts.map(() => 0);
  const cumulative = series.map((one) => one.values.map((value, at) => (sums[at] = (sums[at] ?? 0) + value)));
  return [starts.map((_, at) => at), ...cumulative.reverse()];
}
