// A budget as a gauge: what is spent of how much, when it comes back, and how long it will last.

import { html } from "../base.js";
import { t, tWord } from "../i18n.js";
import { countdown, minuteOf, number, throughput, utc, windowName } from "../format.js";
import { useSecond } from "../clock.js";
import { capacityOf, forecastAmong, standingAt, toneOf } from "../budget.js";
import { Badge, Time } from "./ui.js";

/**
 * @param {{entry: Usage, usage: Usage[], perSecond: number | null, name: string, whose?: string | null}} props
 *   `usage`: what there is beside it; `whose`: the scope's own name; `perSecond`: spent of late, `null`: not known yet, NaN: it could not be read
 */
export function Gauge({ entry: told, usage, perSecond, name, whose = null }) {
  const second = useSecond();
  const entry = standingAt(told, second * 1000);
  const { current_usage: used } = entry, limit = capacityOf(entry);
  const tone = entry.unlimited ? "good" : toneOf(used, limit);
  const share = entry.unlimited || limit <= 0 ? 0 : Math.min(1, used / limit);
  return html`<article class=${`gauge ${tone}`} aria-label=${name}>
    <header><${Badge}>${tWord("scope", entry.scope)}<//>${whose && html`<span class="gauge-name">${whose}</span>`}${entry.fallback && html`<${Badge} tone="info" title=${t("fallback.what")}>${t("fallback")}<//>`}
      <span class="gauge-plan">${entry.plan ?? ""}</span>${entry.meter && entry.meter !== "throughput" && html`<${Badge}>${tWord("meter", entry.meter)}<//>`}</header>
    ${entry.unlimited ? html`<p class="gauge-figure">${t("unlimited")}</p><p class="muted">${t("unlimited.what")}</p>` : html`
      <p class="gauge-figure"><strong>${number(used)}</strong><span class="muted"> / ${number(limit)}${refills(entry) ? ` ${comesBack(entry)}` : ""}</span></p>
      <div class="bar" role="meter" aria-valuemin="0" aria-valuemax=${limit} aria-valuenow=${Math.min(used, limit)} aria-label=${t("gauge.used", { name })}
        aria-valuetext=${t("gauge.text", { used, limit, remaining: entry.remaining })}><span style=${{ width: `${share * 100}%` }}></span></div>
      <p class="gauge-line"><span>${t("gauge.remaining", { remaining: entry.remaining })}</span><${Refill} entry=${entry} second=${second} /></p>
      ${!entry.fallback && html`<${Forecast} entry=${told} usage=${usage} perSecond=${perSecond} second=${second} />`}`}
    ${entry.fallback && html`<p class="hint">${t("fallback.what")}</p>`}
    ${entry.subscription_ends_at && html`<p class="hint">${t("gauge.ends")} <${Time} at=${entry.subscription_ends_at} exact="date" /></p>`}
  </article>`;
}

/** @param {Usage} entry */
function refills(entry) {
  return entry.window_seconds > 0 && entry.refill !== "never";
}

/** How much comes back when: of a burst that is less than what there may be. @param {Usage} entry */
function comesBack(entry) {
  if (capacityOf(entry) === entry.throughput_limit) return t("gauge.window", { window: windowName(entry.window_seconds, entry.anchor) });
  return t("gauge.burst", { pace: throughput(entry.throughput_limit, entry.window_seconds) });
}

/** @param {{entry: Usage, second: number}} props */
function Refill({ entry, second }) {
  if (!refills(entry)) return html`<span class="muted">${t("gauge.pack")}</span>`;
  if (!entry.resets_at || entry.current_usage === 0) return html`<span class="muted">${t("gauge.full")}</span>`;
  const left = Date.parse(entry.resets_at) / 1000 - second;
  const said = entry.refill === "continuous" ? "gauge.full-in" : "gauge.refills-in";
  return html`<span class="muted">${t(said)} <span class="count">${countdown(left)}</span></span>`;
}

const SAID = /** @type {const} */ ({ gone: "forecast.gone", quiet: "forecast.quiet", lasts: "forecast.lasts", empty: "forecast.lasts", waits: "forecast.waits", held: "forecast.held" });

/** @param {{entry: Usage, usage: Usage[], perSecond: number | null, second: number}} props */
function Forecast({ entry, usage, perSecond, second }) {
  if (perSecond === null) return html`<p class="forecast muted">${"\u00a0"}</p>`;
  if (Number.isNaN(perSecond)) return html`<p class="forecast muted">${t("forecast.unknown")}</p>`;
  const seen = forecastAmong(entry, usage, perSecond, second * 1000);
  if (seen.kind === "empty" && seen.at) {
    const minute = new Date(Math.floor(seen.at / 60_000) * 60_000);
    return html`<p class="forecast warn"><time datetime=${minute.toISOString()} title=${utc(minute)}>${t("forecast.empty", { at: minuteOf(seen.at, second * 1000) })}</time></p>`;
  }
  return html`<p class="forecast muted">${t(seen.kind === "gone" && !refills(entry) ? "forecast.spent" : SAID[seen.kind])}</p>`;
}
