// Finding a user or a workspace by name in the directory, so that nobody types ids; an id can be pasted all the same.

import { html, useEffect, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { shortId } from "../format.js";
import { useLive } from "../live.js";
import { withQuery } from "../http.js";
import { Button, Empty, Field, Loaded, Time } from "./ui.js";

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const PAUSE_MS = 250;

/**
 * @template T
 * @param {T} value
 * @returns {T} the value, once it has not changed for a moment
 */
export function useSettled(value) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/**
 * @param {{kind: string, label: string, chosen: Known | null, choose: (one: Known | null) => void, problem?: string | null}} props
 */
export function ScopePicker({ kind, label, chosen, choose, problem }) {
  const [text, setText] = useState("");
  const asked = useSettled(text.trim());
  const pick = (/** @type {Event} */ event, /** @type {Known} */ one) => {
    event.currentTarget?.dispatchEvent(new Event("input", { bubbles: true })); // a choice is something typed, for the form around it
    choose(one);
  };
  const found = useLive(chosen ? null : withQuery("/directory", { kind, text: asked, limit: 20 }));
  if (chosen) {
    return html`<div class="field"><span class="field-label">${label}</span><p class="chosen-scope"><strong>${chosen.name ?? tWord("kind", kind)}</strong> <code>${chosen.id}</code>
      ${" "}<${Button} small kind="quiet" act=${() => choose(null)} label=${t("action.of", { action: t("picker.change"), name: label })}>${t("picker.change")}<//></p>${problem && html`<p class="problem">${problem}</p>`}</div>`;
  }
  return html`<div class="field"><${Field} label=${label} value=${text} change=${setText} type="search" placeholder=${t("picker.search")} problem=${problem} />
    <div class="found" role="group" aria-label=${t("picker.found", { label })}><${Loaded} live=${found} what=${t("picker.failed")} lines=${2}>${(/** @type {Known[]} */ rows) => html`
      ${rows.map((row) => html`<button type="button" key=${row.id} onClick=${(/** @type {Event} */ event) => pick(event, row)}><span>${row.name ?? shortId(row.id)}</span>${row.name ? html`<code>${shortId(row.id)}</code>` : row.last_seen_at && html`<span class="muted">${t("picker.seen")} <${Time} at=${row.last_seen_at} exact="date" /></span>`}</button>`)}
      ${rows.length === 0 && !UUID.test(asked) && html`<${Empty} title=${t("nothing-found")}>${t("picker.none")}<//>`}`}<//>
      ${UUID.test(asked) && !found.data?.some((/** @type {Known} */ row) => row.id === asked) && html`<button type="button" onClick=${(/** @type {Event} */ event) => pick(event, { kind, id: asked })}><span>${t("picker.use")}</span><code>${asked}</code></button>`}</div></div>`;
}
