// Try a path: which rule wins and why, what the request costs, and which rules lost.

import { html, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { api, Failure, withQuery } from "../http.js";
import { Badge, Failed, Field } from "../parts/ui.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

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
      setFound(await api(withQuery("/explain", { method, path: path.trim() })));
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
  const cost = Object.entries(found.cost ?? {}).map(([meter, amount]) => `${amount} ${tWord("meter", meter)}`).join(", ");
  return html`<div class="panel explained">
    <p><span class="explained-cost">${cost || "0"}</span> <code>${found.method} ${found.canonical}</code></p>
    ${rule && html`<dl class="facts">
      <div><dt>${t("try.wins")}</dt><dd><code>${rule.name}</code></dd></div>
      <div><dt>${t("weight.pays")}</dt><dd>${(rule.pays ?? []).map((kind) => tWord("kind", kind)).join(" → ") || t("try.nobody")}</dd></div>
      <div><dt>${t("origin")}</dt><dd>${rule.source === "default" ? t("try.default") : rule.origin ? html`<span title=${rule.origin}>${rule.origin.split("/").pop()}</span>` : t("weight.here")}</dd></div>
      <div><dt>${t("details")}</dt><dd>${rule.public && html`<${Badge} tone="info">${t("weight.public")}<//> `}${rule.fallback && html`<${Badge} tone="info">${t("fallback")}<//>`}${!rule.public && !rule.fallback && "–"}</dd></div></dl>`}
    ${found.runners_up.length > 0 && html`<div><p class="muted">${t("try.lost")}</p><ul class="lost">${found.runners_up.map((one) => html`<li><code>${one.name ?? one.rule}</code> <span class="muted">${one.reason}</span></li>`)}</ul></div>`}
  </div>`;
}
