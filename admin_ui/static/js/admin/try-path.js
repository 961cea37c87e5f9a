// Try a path: which rule wins and by what, what the request costs, which rules lost, and how often each was met.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { number } from "../format.js";
import { api, Failure, withQuery } from "../http.js";
import { Badge, Failed, Field } from "../parts/ui.js";
import { Table } from "../parts/table.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/** @typedef {Explained["runners_up"][number]} Loser */

export function TryPath() {
  const [method, setMethod] = useState("GET");
  const [path, setPath] = useState("");
  const [found, setFound] = useState(/** @type {Explained | null} */ (null));
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [busy, setBusy] = useState(false);
  const ask = async (/** @type {Event} */ event) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      setFound(await api(withQuery("/explain", { method, path: path.trim(), hits: true })));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFound(null);
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<section class="view" aria-labelledby="try-title"><header class="section"><h2 id="try-title">${t("try")}</h2></header>
    <form class="filters" onSubmit=${ask}><${Field} label=${t("method")} value=${method} change=${setMethod} options=${METHODS.map((one) => [one, one])} />
      <div class="grow field"><${Field} label=${t("path")} value=${path} change=${setPath} required placeholder="/message/whatsapp" /></div>
      <button type="submit" class="button main" aria-busy=${busy}>${t("try.do")}</button></form>
    <div aria-live="polite">${failure && html`<${Failed} failure=${failure} what=${t("try.failed")} />`}${found && html`<${Answer} found=${found} />`}</div></section>`;
}

/** @param {{found: Explained}} props */
function Answer({ found }) {
  const rule = found.rule;
  if (found.own) return html`<div class="panel explained"><p>${t("try.own")}</p></div>`;
  const cost = Object.entries(found.cost ?? {}).map(([meter, amount]) => `${number(amount)} ${tWord("meter", meter, amount)}`).join(", ");
  return html`<div class="panel explained">
    <p><span class="explained-cost">${cost || "0"}</span> <code>${found.method} ${found.canonical}</code></p>
    ${rule && html`<dl class="facts">
      <div><dt>${t("try.wins")}</dt><dd><code>${rule.name}</code></dd></div>
      <div><dt>${t("weight.pays")}</dt><dd>${(rule.pays ?? []).map((kind) => tWord("kind", kind)).join(" → ") || t("try.nobody")}</dd></div>
      <div><dt>${t("weight.hits")}</dt><dd>${hits(rule)}</dd></div>
      <div><dt>${t("origin")}</dt><dd>${originOf(rule)}</dd></div>
      ${(rule.public || rule.fallback) && html`<div><dt>${t("details")}</dt><dd>${rule.public && html`<${Badge} tone="info">${t("weight.public")}<//> `}${rule.fallback && html`<${Badge} tone="info">${t("fallback")}<//>`}</dd></div>`}</dl>`}
    ${rule && html`<${Reasons} rule=${rule} losers=${found.runners_up} />`}
  </div>`;
}

/** @param {{rule: Rule, losers: Loser[]}} props */
function Reasons({ rule, losers }) {
  if (rule.source === "default") return html`<p class="muted">${t("why.only-default")}</p>`;
  const others = losers.filter((one) => one.decided_by !== "default");
  if (others.length === 0) return html`<p class="muted">${t("why.alone")}</p>`;
  return html`<p>${t("why.intro")}</p>
    <${Table} rows=${others} caption=${t("try.lost")} keyOf=${(/** @type {Loser} */ one) => `${one.source} ${one.name}`} columns=${[
      { name: t("rule"), show: (/** @type {Loser} */ one) => html`<code>${one.name}</code>` },
      { name: t("weight"), right: true, show: (/** @type {Loser} */ one) => number(one.weight ?? 0) },
      { name: t("why"), wide: true, show: (/** @type {Loser} */ one) => why(rule, one) },
      { name: t("weight.hits"), right: true, show: hits },
      { name: t("origin"), show: originOf }]} />
    <p class="hint">${t("why.order")}</p>`;
}

/** The first thing in which the winner is better. @param {Rule} rule @param {Loser} loser */
function why(rule, loser) {
  const { decided_by: by, segment = 0, better = "", worse = "" } = loser;
  if (by === "segment") {
    return t("why.segment", { segment, better: part(rule.name, segment, better), worse: part(loser.name ?? "", segment, worse) });
  }
  if (by === "method") return t(worse === "ANY" ? "why.method" : "why.head", { better, worse });
  if (by === "origin") return t("why.origin");
  return by === "place" ? t("why.place") : loser.reason ?? "";
}

/**
 * What a rule has at a segment: its kind, and its own words.
 * @param {string} name "GET /a/{b}"
 * @param {number} segment from 1
 * @param {string} kind
 */
function part(name, segment, kind) {
  const text = kind === "end" ? "" : name.slice(name.indexOf("/") + 1).split("/")[segment - 1] ?? "";
  return `${tWord("segment", kind)}${text ? ` (${text})` : ""}`;
}

/** @param {{hits_last_day?: number | null}} rule */
function hits(rule) {
  return rule.hits_last_day === null || rule.hits_last_day === undefined ? "–" : number(rule.hits_last_day);
}

/** @param {Partial<Rule>} rule */
function originOf(rule) {
  if (rule.source === "default") return t("try.default");
  if (rule.source === "database" || !rule.origin) return t("weight.here");
  return html`<span title=${rule.origin}>${rule.origin.split("/").pop()}</span>`;
}
