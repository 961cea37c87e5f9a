// Short notes about what was done, read aloud, gone after a while; and what failed, which stays until it is closed.
// An open dialog makes everything outside it inert, so they are drawn in the topmost one, and in the frame if there is none.

import { html, Shared, useShared } from "../base.js";
import { t } from "../i18n.js";
import { Failure } from "../http.js";
import { FailureWords } from "./failed.js";

const SHOWN_MS = 6_000;
const MOST = 4;

/** @typedef {{id: number, said: string | Failure, bad: boolean, what?: string}} Toast */
const shown = new Shared(/** @type {Toast[]} */ ([]));
let ids = 0;

/** The dialogs that are open, the topmost last. */
const dialogs = new Shared(/** @type {string[]} */ ([]));

/** A dialog lies over all others now. @param {string} id */
export function rise(id) {
  dialogs.set([...dialogs.value.filter((one) => one !== id), id]);
}

/** A dialog is closed. @param {string} id */
export function sink(id) {
  dialogs.set(dialogs.value.filter((one) => one !== id));
}

/**
 * @param {string | Failure} said
 * @param {{bad?: boolean, what?: string}} [how] bad ones, and failures, stay until they are closed; `what`: did not work
 */
export function toast(said, { bad = said instanceof Failure, what } = {}) {
  const id = ++ids;
  const others = shown.value.filter((one) => !same(one.said, said)).slice(1 - MOST);
  shown.set([...others, { id, said, bad, what }]);
  if (!bad) setTimeout(() => close(id), SHOWN_MS);
}

/** Whether both say the same: once is enough. @param {string | Failure} one @param {string | Failure} other */
function same(one, other) {
  return one instanceof Failure && other instanceof Failure && one.status === other.status && one.message === other.message;
}

/** @param {number} id */
function close(id) {
  shown.set(shown.value.filter((one) => one.id !== id));
}

/** The notes, if this is their place now; until then an empty live region, so that they are read when they come. @param {{dialog?: string}} props */
export function Toasts({ dialog }) {
  const here = useShared(dialogs).at(-1) === dialog;
  const known = useShared(shown);
  const all = here ? known : [];
  return html`<div class="toasts" role="status" aria-live="polite">
    ${all.map((one) => html`<div key=${one.id} class=${`toast ${one.bad ? "bad" : ""}`}>
      ${one.said instanceof Failure ? html`<div class="toast-words"><${FailureWords} failure=${one.said} what=${one.what} /></div>` : html`<span>${one.said}</span>`}
      <button type="button" class="close" onClick=${() => close(one.id)} aria-label=${t("toast.close")}>×</button></div>`)}
  </div>`;
}
