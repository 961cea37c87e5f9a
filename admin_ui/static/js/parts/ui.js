// Small parts of every view: buttons that say when they are busy, badges, fields, what to show when there is nothing.

import { html, useId, useState } from "../base.js";
import { t, tWord } from "../i18n.js";
import { instant, moment, shortId, utc } from "../format.js";
import { Failure } from "../http.js";
import { FailureWords } from "./failed.js";
import { placeOf } from "./place.js";
import { toast } from "./toasts.js";

/**
 * A button. `act` may take its time: the button is busy until it is done, and cannot be pressed twice.
 * @param {{act: (event: Event) => unknown, children?: any, kind?: "plain" | "main" | "danger" | "quiet", type?: string, disabled?: boolean, label?: string, title?: string, small?: boolean}} props
 */
export function Button({ act, children, kind = "plain", type = "button", disabled = false, label, title, small = false }) {
  const [busy, setBusy] = useState(false);
  const press = async (/** @type {Event} */ event) => {
    if (busy) return;
    const goOn = placeOf(/** @type {Element} */ (event.currentTarget));
    const done = act(event);
    if (!(done instanceof Promise)) {
      goOn();
      return;
    }
    setBusy(true);
    try {
      await done;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      toast(error);
    } finally {
      setBusy(false);
      goOn();
    }
  };
  return html`<button type=${type} class=${`button ${kind}${small ? " small" : ""}`} onClick=${press} disabled=${disabled}
    aria-busy=${busy} aria-label=${label} title=${title}>${busy && html`<span class="spinner" aria-hidden="true"></span>`}${children}</button>`;
}

/** @param {{tone?: "good" | "warn" | "bad" | "info" | "none", children?: any, title?: string}} props */
export function Badge({ tone = "none", children, title }) {
  return html`<span class=${`badge ${tone}`} title=${title}>${children}</span>`;
}

/**
 * An instant in the viewer's zone, with UTC on hover.
 * @param {{at: string | number | null | undefined, exact?: "date" | "minute" | "second" | "time"}} props
 */
export function Time({ at, exact = "minute" }) {
  if (at === null || at === undefined || Date.parse(String(at)) === 0) return html`<span class="muted">–</span>`;
  return html`<time datetime=${new Date(at).toISOString()} title=${utc(at)}>${moment(at, exact)}</time>`;
}

/**
 * An id, short, copied by a click.
 * @param {{id: string | null | undefined, name?: string | null}} props
 */
export function Id({ id, name }) {
  if (!id) return html`<span class="muted">–</span>`;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(id);
      toast(t("copied", { id }));
    } catch {
      toast(id);
    }
  };
  return html`<button type="button" class="id" onClick=${copy} title=${t("copy", { id })}>${name ?? html`<code>${shortId(id)}</code>`}</button>`;
}

/**
 * Nothing here yet: what this is, and how to get some.
 * @param {{title: string, children?: any}} props
 */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p><div>${children}</div></div>`;
}

/**
 * Something failed: what the server said, what to do, and a way to try again.
 * @param {{failure: Failure, retry?: () => unknown, what?: string, again?: boolean}} props `again`: the page tries once more by itself
 */
export function Failed({ failure, retry, what, again = false }) {
  return html`<div class="failed" role="alert">
    <${FailureWords} failure=${failure} what=${what} again=${again} />
    ${retry && html`<${Button} act=${retry} small>${t("try-again")}<//>`}
  </div>`;
}

/**
 * Data that is on its way, has failed, or is here. Old data stays while newer fails, with a note.
 * @param {{live: import("../live.js").Live<any>, children: (data: any) => any, what?: string, lines?: number}} props
 */
export function Loaded({ live, children, what, lines = 3 }) {
  if (live.data !== undefined) {
    return html`${live.failure && html`<${Failed} failure=${live.failure} retry=${live.reload} again=${live.again} what=${t("failure.stale")} />`}${children(live.data)}`;
  }
  if (live.failure) return html`<${Failed} failure=${live.failure} retry=${live.reload} again=${live.again} what=${what} />`;
  return html`<div class="skeleton" role="status"><span class="hidden">${t("loading")}</span>${Array.from({ length: lines }, () => html`<i></i>`)}</div>`;
}

/**
 * What could not be asked of something that the view can do without. Nothing where it could.
 * @param {{live: import("../live.js").Live<any>, what: string}} props
 */
export function Missing({ live, what }) {
  return live.failure ? html`<${Failed} failure=${live.failure} retry=${live.reload} again=${live.again} what=${what} />` : null;
}

/** Browsers take years of six digits, and nothing else does. */
const LATEST = { date: "9999-12-31", "datetime-local": "9999-12-31T23:59" };

/**
 * A labelled input. `problem`: what is wrong with it, said under it and to screen readers.
 * @param {{label: string, value: any, change: (value: string) => void, type?: string, hint?: any, problem?: string | null, required?: boolean, options?: [string, string][], rows?: number, placeholder?: string, autocomplete?: string, inputmode?: string, min?: number, disabled?: boolean, list?: string[]}} props
 */
export function Field({ label, value, change, type = "text", hint, problem: said, required = false, options, rows, placeholder, autocomplete = "off", inputmode, min, disabled = false, list }) {
  const id = useId();
  const latest = /** @type {Record<string, string>} */ (LATEST)[type];
  const problem = said ?? (latest && value && instant(value) === null ? t("date.wrong") : null);
  const described = [problem && `${id}-problem`, hint && `${id}-hint`].filter(Boolean).join(" ") || undefined;
  const input = (/** @type {any} */ event) => change(event.currentTarget.value);
  const shared = { id, value, onInput: input, required, disabled, placeholder, "aria-invalid": problem ? "true" : undefined, "aria-describedby": described };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${options ? html`<select ...${shared} onChange=${input}>${options.map(([key, name]) => html`<option value=${key} selected=${String(value) === key}>${name}</option>`)}</select>`
      : rows ? html`<textarea ...${shared} rows=${rows}></textarea>`
      : html`<input ...${shared} type=${type} autocomplete=${autocomplete} inputmode=${inputmode} min=${min} max=${latest} spellcheck=${false} list=${list ? `${id}-list` : undefined} />`}
    ${list && html`<datalist id=${`${id}-list`}>${list.map((one) => html`<option value=${one}></option>`)}</datalist>`}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${problem && html`<p class="problem" id=${`${id}-problem`}>${problem}</p>`}
  </div>`;
}

/** @param {{label: string, checked: boolean, change: (value: boolean) => void, hint?: string, disabled?: boolean}} props */
export function Check({ label, checked, change, hint, disabled = false }) {
  const id = useId();
  return html`<div class="check"><input type="checkbox" id=${id} checked=${checked} disabled=${disabled}
    onChange=${(/** @type {any} */ event) => change(event.currentTarget.checked)} aria-describedby=${hint ? `${id}-hint` : undefined} />
    <label for=${id}>${label}</label>${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}</div>`;
}

/**
 * One of a few, as buttons side by side.
 * @param {{label: string, value: string, options: [string, string][], change: (value: string) => void}} props
 */
export function Choice({ label, value, options, change }) {
  const name = useId();
  return html`<fieldset class="choice"><legend class="hidden">${label}</legend>${options.map(([key, text]) => html`<label class=${key === value ? "chosen" : ""}>
    <input type="radio" class="hidden" name=${name} value=${key} checked=${key === value} onChange=${() => change(key)} />${text}</label>`)}</fieldset>`;
}

/** @type {Record<string, "good" | "warn" | "bad" | "info" | "none">} */
const TONES = {
  active: "good", ok: "good", healthy: "good", processed: "good", succeeded: "good", paid: "good", done: "good",
  pending: "info", received: "info", processing: "info", running: "info", scheduled: "info", trialing: "info",
  cancelling: "warn", past_due: "warn", degraded: "warn", parked: "warn", requires_action: "warn", requires_payment_method: "warn", refunded: "none", paused: "warn",
  expired: "none", cancelled: "none", canceled: "none", ignored: "none", revoked: "none", failed: "bad", error: "bad", unpaid: "bad", disputed: "bad",
};

/**
 * A state in words, with the tone that goes with it.
 * @param {{of: string, group?: string}} props
 */
export function State({ of, group = "state" }) {
  return html`<${Badge} tone=${TONES[of] ?? "none"}>${tWord(group, of)}<//>`;
}
