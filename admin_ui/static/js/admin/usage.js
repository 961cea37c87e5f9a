// The usage explorer: anybody's use over an hour, a day or a month, by rule or by scope, as a chart and as a file.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { number } from "../format.js";
import { withQuery } from "../http.js";
import { useLive } from "../live.js";
import { useNames, Who } from "../names.js";
import { save } from "../csv.js";
import { Button, Choice, Empty, Loaded } from "../parts/ui.js";
import { Table } from "../parts/table.js";
import { Bars, historyPath, RANGES, ruleName, Summed, useHistory } from "../parts/history.js";
import { ScopePicker } from "../parts/scope-picker.js";

const THROUGHPUT = "throughput";

export function Explorer() {
  const [kind, setKind] = useState("all");
  const [who, setWho] = useState(/** @type {Known | null} */ (null));
  const [by, setBy] = useState("rule");
  const [what, setWhat] = useState("amount");
  const [range, setRange] = useState("day");
  const [meter, setMeter] = useState(THROUGHPUT);
  const nameOf = useNames();
  const ranks = kind === "all" && by === "scope";
  const asked = kind === "all" ? historyPath("all", "", range, "rule") : who ? historyPath(kind, who.id, range, "rule") : null;
  const history = useHistory(ranks ? null : asked, {});
  const top = useLive(ranks ? withQuery("/usage/top", { by: "scope", window_seconds: (RANGES[range]?.length ?? 0) / 1000, limit: 100, meter }) : null, { every: 60_000 });
  const live = /** @type {import("../live.js").Live<Point[]>} */ (ranks ? top : history);
  // A point without a meter is of requests that cost nothing: they are counted, with those that cost units.
  const counted = (/** @type {Point[]} */ points) => points.filter((point) => (point.meter || THROUGHPUT) === meter);
  const meters = [...new Set([THROUGHPUT, ...(live.data ?? []).map((point) => point.meter || THROUGHPUT)])];
  const look = (/** @type {string} */ whose, /** @type {string} */ how) => {
    setKind(whose);
    setBy(how);
    if (whose === "all" && how === "scope" && range === "month") setRange("day"); // the server ranks a day at most
  };
  const rank = (/** @type {string} */ one) => look("all", one);
  const pick = (/** @type {string} */ one) => {
    look(one, by);
    setWho(null);
  };
  return html`<section aria-labelledby="usage-title"><header class="section"><h2 id="usage-title">${t("admin.usage")}</h2><div class="tools">
      <${Choice} label=${t("history.whose")} value=${kind} change=${pick} options=${[["all", t("everybody")], ["user", t("kind.user")], ["workspace", t("kind.workspace")]]} />
      ${kind === "all" && html`<${Choice} label=${t("usage.by")} value=${by} change=${rank} options=${[["rule", t("rule")], ["scope", t("scope")]]} />`}
      <${Choice} label=${t("history.what")} value=${what} change=${setWhat} options=${[["amount", t("units")], ["requests", t("requests")], ["refused", t("refused")], ["overrun", t("overrun")]]} />
      <${Choice} label=${t("history.range")} value=${range} change=${setRange} options=${[["hour", t("range.hour")], ["day", t("range.day")], ...(ranks ? [] : [["month", t("range.month")]])]} />
      ${meters.length > 1 && html`<${Choice} label=${t("usage.meter")} value=${meter} change=${setMeter} options=${meters.map((one) => [one, tWord("meter", one)])} />`}
      <${Button} small disabled=${!live.data?.length} act=${() => save("usage.csv", (live.data ?? []).map(({ every, ...point }) => (every ? { ...point, rule: t("rule.every") } : point)))}>${t("csv")}<//>
    </div></header>
    ${kind !== "all" && html`<div class="view"><${ScopePicker} key=${kind} kind=${kind} label=${t(kind === "user" ? "kind.user" : "kind.workspace")} chosen=${who} choose=${setWho} /></div>`}
    ${ranks && html`<div class="panel"><${Loaded} live=${top} what=${t("history.failed")} lines=${6}>${(/** @type {Point[]} */ rows) => html`<${Totals} points=${counted(rows)} byScope nameOf=${nameOf} />`}<//></div>`}
    ${asked && !ranks && html`<div class="panel chart-panel view"><${Loaded} live=${history} what=${t("history.failed")} lines=${6}>${(/** @type {Point[]} */ points) => html`<${Summed} points=${points} /><${Bars} key=${`${asked} ${what} ${meter}`} points=${counted(points)} range=${range} what=${what} />`}<//></div>
      ${history.data && history.data.length > 0 && html`<div class="panel"><${Totals} points=${counted(history.data)} nameOf=${nameOf} /></div>`}`}
  </section>`;
}

/** @param {{points: Point[], byScope?: boolean, nameOf: (kind: string | null | undefined, id: string | null | undefined) => string | null}} props */
function Totals({ points, byScope = false, nameOf }) {
  const named = ruleName;
  const sums = new Map(/** @type {[string, Point][]} */ ([]));
  for (const point of points) {
    const name = byScope ? `${point.scope} ${point.id}` : named(point);
    const was = sums.get(name) ?? { ...point, amount: 0, requests: 0, refused: 0, overrun: 0 };
    sums.set(name, { ...was, amount: was.amount + point.amount, requests: was.requests + point.requests, refused: was.refused + point.refused, overrun: (was.overrun ?? 0) + (point.overrun ?? 0) });
  }
  const rows = [...sums.values()].sort((a, b) => b.amount - a.amount || b.refused - a.refused);
  return html`<${Table} rows=${rows} caption=${t("usage.totals")} empty=${html`<${Empty} title=${t("history.none")}>${t("history.none-do")}<//>`} keyOf=${(/** @type {Point} */ row) => (byScope ? `${row.scope} ${row.id}` : named(row))} columns=${[
    { name: t(byScope ? "scope" : "rule"), wide: true, show: (/** @type {Point} */ row) => (byScope ? html`<${Who} kind=${row.scope} id=${row.id} name=${nameOf(row.scope, row.id)} />` : html`<code>${named(row)}</code>`) },
    ...["amount", "requests", "refused", "overrun"].map((key) => ({ name: t(/** @type {import("../i18n.js").Key} */ (key === "amount" ? "units" : key)), right: true, show: (/** @type {any} */ row) => number(row[key] ?? 0) })),
  ]} />`;
}
