// Dialogs: the browser's own, so focus, Escape and the background are right for everybody.

import { html, Shared, useId, useLayoutEffect, useRef, useShared, useState } from "../base.js";
import { t } from "../i18n.js";
import { Button, Failed } from "./ui.js";
import { Failure } from "../http.js";
import { Leaving, useKept } from "./keep.js";
import { placeOf } from "./place.js";
import { rise, sink, Toasts } from "./toasts.js";

/**
 * An open dialog. `close` is called by Escape as well; if there is something to `keep`, once that was answered.
 * @param {{title: string, close: () => void, children?: any, wide?: boolean, keep?: string | null}} props `keep`: what would be lost, as a sentence
 */
export function Dialog({ title, close, children, wide = false, keep = null }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useLayoutEffect(() => {
    const dialog = box.current;
    const goOn = placeOf(document.activeElement);
    dialog?.showModal();
    rise(id);
    return () => {
      dialog?.close(); // which gives the focus back to where it was, if that is still there
      goOn();
      sink(id);
    };
  }, []);
  const { asking, leave, stay } = useKept(keep, close);
  const cancel = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (asking) stay();
    else leave();
  };
  // Chromium closes at a second Escape whatever `cancel` says, so the key is taken before it gets there.
  const escape = (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape" && !event.defaultPrevented && !event.isComposing) cancel(event); };
  const closed = () => {
    if (!box.current?.isConnected || box.current.open) return;
    if (keep) {
      box.current.showModal();
      rise(id);
    }
    leave();
  };
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby=${id} onCancel=${cancel} onKeyDown=${escape} onClose=${closed}>
    <header><h2 id=${id}>${title}</h2><button type="button" class="close" onClick=${leave} aria-label=${t("close")}>×</button></header>
    ${asking && html`<${Leaving} what=${keep} stay=${stay} leave=${close} />`}
    <div class="dialog-body">${children}</div>
    <${Toasts} dialog=${id} />
  </dialog>`;
}

/**
 * A form in a dialog. `save` may throw a `Failure`: it is shown, and what was typed stays.
 * @param {{title: string, close: () => void, save: () => Promise<unknown>, action: string, children?: any, kind?: "main" | "danger", wide?: boolean, ready?: boolean, back?: string, failed?: (failure: Failure | null) => void}} props `back`: what to call going back; `ready`: whether there is something to save
 */
export function FormDialog({ title, close, save, action, children, kind = "main", wide = false, ready = true, back = t("cancel"), failed }) {
  const [failure, setFailure] = useState(/** @type {Failure | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState(false);
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure(null);
    failed?.(null);
    try {
      await save();
      close();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      setFailure(error);
      failed?.(error);
    } finally {
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} close=${close} wide=${wide} keep=${typed ? t("keep.typed") : null}>
    <form onSubmit=${submit} onInput=${() => setTyped(true)}>
      ${children}
      ${failure && html`<${Failed} failure=${failure} what=${t("failure.not-done")} />`}
      <footer><${Button} act=${close}>${back}<//>
        <button type="submit" class=${`button ${kind}`} disabled=${!ready} aria-busy=${busy}>${busy && html`<span class="spinner" aria-hidden="true"></span>`}${action}</button></footer>
    </form>
  <//>`;
}

/** @typedef {{title: string, text: any, action: string, back?: string, kind?: "main" | "danger", save: () => Promise<unknown>}} Question */
const asked = new Shared(/** @type {Question | null} */ (null));

/**
 * Ask before something that cannot be undone.
 * @param {Question} question
 */
export function confirm(question) {
  asked.set(question);
}

export function Confirmation() {
  const question = useShared(asked);
  if (!question) return null;
  return html`<${FormDialog} title=${question.title} close=${() => asked.set(null)} save=${question.save} action=${question.action} back=${question.back} kind=${question.kind ?? "danger"}><p>${question.text}</p><//>`;
}

/**
 * Do something that may fail, and say how it went: what failed is said in full.
 * @param {() => Promise<unknown>} act
 * @param {string} done empty: it has said so itself
 * @param {(said: string | Failure, how?: {bad?: boolean, what?: string}) => void} say
 */
export async function attempt(act, done, say) {
  try {
    await act();
    if (done) say(done);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(error, { what: error.wrote ? t("failure.not-done") : undefined });
  }
}
