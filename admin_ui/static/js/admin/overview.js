// What is going on now: load, who causes it, which rules, and whether every part is well.

import { html } from "../base.js";
import { t, tWord } from "../i18n.js";
import { duration, number, rate } from "../format.js";
import { serverNow } from "../clock.js";
import { api } from "../http.js";
import { useLive } from "../live.js";
import { useNames, Who } from "../names.js";
import { Badge, Empty, Loaded, Time } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { UsageHistory } from "../parts/history.js";

/** @typedef {{scope?: string, id?: string, rule?: string, amount: number, requests: number, refused: number}} Top */

export function Overview() {
  const live = useLive("/overview", { every: 5_000, load: (signal) => api("/overview", { signal }).then((seen) => ({ seen, at: serverNow() })) });
  const nameOf = useNames();
  // What comes for the skeleton has a place of its own, and the history comes after it: so nothing moves.
  return html`<div><${Loaded} live=${live} what=${t("overview.failed")} lines=${5}>${(/** @type {{seen: any, at: number}} */ { seen, at }) => html`
    <p class="hint as-of">${t("overview.as-of")} <${Time} at=${at} exact="second" /></p>
    <dl class="tiles load">
      <${Tile} name=${t("overview.rps")} figure=${figure(seen.requests_per_second)} />
      <${Tile} name=${t("overview.refused")} figure=${figure(seen.refused_per_second)} tone=${seen.refused_per_second > 0 ? "warn" : ""} />
      <div class="tile"><dt>${t("overview.parts")}</dt><dd class="parts">${Object.entries(seen.parts).map(([part, state]) => html`<p class="part"><span>${tWord("part", part)}</span><${Health} state=${String(state)} /></p>`)}</dd></div>
    </dl>
    <div class="two">
      <section class="view" aria-labelledby="top-scopes"><header class="section"><h2 id="top-scopes">${t("overview.top-scopes")} <${Within} seconds=${seen.window_seconds} /></h2></header>
        <div class="panel"><${Tops} rows=${seen.top_scopes} caption=${t("overview.top-scopes")} name=${t("scope")} show=${(/** @type {Top} */ row) => html`<${Who} kind=${row.scope} id=${row.id} name=${nameOf(row.scope, row.id)} />`} /></div></section>
      <section class="view" aria-labelledby="top-rules"><header class="section"><h2 id="top-rules">${t("overview.top-rules")} <${Within} seconds=${seen.window_seconds} /></h2></header>
        <div class="panel"><${Tops} rows=${seen.top_rules} caption=${t("overview.top-rules")} name=${t("rule")} show=${(/** @type {Top} */ row) => html`<code>${row.rule ?? t("rule.none")}</code>`} /></div></section>
    </div>`}<//></div>
    ${(live.data || live.failure) && html`<${UsageHistory} scopes=${[{ scope: "all", id: "", name: t("everybody") }]} workspace=${null} title=${t("overview.history")} />`}`;
}

/** @param {{seconds: number | undefined}} props */
function Within({ seconds }) {
  return seconds ? html`<span class="muted">${t("overview.within", { window: duration(seconds) })}</span>` : null;
}

/** @param {number | null | undefined} perSecond */
function figure(perSecond) {
  return perSecond === null || perSecond === undefined ? "–" : rate(perSecond);
}

/** @param {{name: string, figure: string, tone?: string}} props */
function Tile({ name, figure: shown, tone = "" }) {
  return html`<div class=${`tile ${tone}`}><dt>${name}</dt><dd class="tile-figure">${shown}</dd></div>`;
}

/** @param {{state: string}} props */
function Health({ state }) {
  if (state === "ok") return html`<${Badge} tone="good">${t("part.ok")}<//>`;
  const [, degraded, why] = /^(degraded)?(?:: )?(.*)$/s.exec(state) ?? [];
  return html`<span class="part-state"><${Badge} tone=${degraded ? "warn" : "bad"}>${t(degraded ? "part.degraded" : "part.bad")}<//>${why && html` <span class="muted">${why}</span>`}</span>`;
}

/** @param {{rows: Top[], caption: string, name: string, show: (row: Top) => any}} props */
function Tops({ rows, caption, name, show }) {
  const most = Math.max(1, ...rows.map((row) => row.amount));
  return html`<${Table} rows=${rows} caption=${caption} keyOf=${(/** @type {Top} */ row) => `${row.scope} ${row.id} ${row.rule}`} empty=${html`<${Empty} title=${t("overview.quiet")}>${t("overview.quiet-do")}<//>`}
    columns=${[
      { name, wide: true, show },
      { name: t("units"), right: true, show: (/** @type {Top} */ row) => html`<span class="share"><span class="bar" aria-hidden="true"><span style=${{ width: `${(row.amount / most) * 100}%` }}></span></span>${number(row.amount)}</span>` },
      { name: t("requests"), right: true, show: (/** @type {Top} */ row) => number(row.requests) },
      { name: t("refused"), right: true, show: (/** @type {Top} */ row) => (row.refused ? html`<${Badge} tone="warn">${number(row.refused)}<//>` : "0") },
    ]} />`;
}
