// Short notes about what was done, read aloud, gone after a while.

import { html, Shared, useShared } from "../base.js";
import { t } from "../i18n.js";

const SHOWN_MS = 6_000;
const shown = new Shared(/** @type {{id: number, text: string, bad: boolean}[]} */ ([]));
let ids = 0;

/**
 * @param {string} text
 * @param {{bad?: boolean}} [how] bad ones stay until they are closed
 */
export function toast(text, { bad = false } = {}) {
  const id = ++ids;
  shown.set([...shown.value.slice(-3), { id, text, bad }]);
  if (!bad) setTimeout(() => close(id), SHOWN_MS);
}

/** @param {number} id */
function close(id) {
  shown.set(shown.value.filter((one) => one.id !== id));
}

export function Toasts() {
  const all = useShared(shown);
  return html`<div class="toasts" role="status" aria-live="polite">
    ${all.map((one) => html`<div key=${one.id} class=${`toast ${one.bad ? "bad" : ""}`}><span>${one.text}</span>
      <button type="button" class="close" onClick=${() => close(one.id)} aria-label=${t("close")}>×</button></div>`)}
  </div>`;
}
