// Who is behind an id: names from the directory, asked for when a row with the id is drawn, and shared by every table.

import { html, Shared, useEffect, useShared } from "./base.js";
import { t, tWord } from "./i18n.js";
import { api, Failure, withQuery } from "./http.js";
import { session } from "./session.js";
import { toast } from "./parts/toasts.js";
import { Badge, Id } from "./parts/ui.js";

/** What is drawn together is asked for together. */
const TOGETHER_MS = 20;
const MOST = 50;
const LARGEST = 10_000;
/** A name may change, and whoever has none may get one; after a failure there is a pause as well. */
const HOLDS_MS = 300_000;
const AGAIN_MS = 60_000;
/** Who has just come by may get one in a moment: asked for so soon, then after twice as long each time. */
const SOON_MS = 5_000;

/** Small budgets for when the others are empty, each under its user's id. */
const FALLBACK = "fallback";

/** @typedef {{name: string | null, until: number, pause: number}} Called `pause`: how long it is not asked for again, where nobody is found */
/** @type {Map<string, Called>} by kind and id */
const known = new Map();
/** @type {Set<string>} ids that were drawn and are not known */
let wanted = new Set();
/** @type {Set<string>} ids that are asked for just now: whoever is drawn again meanwhile is not asked for again */
const asking = new Set();
/** @type {number | undefined} */
let timer;
let person = -1;
const changes = new Shared(0);
const failed = new Shared(/** @type {Failure | null} */ (null));

/** @typedef {(kind: string | null | undefined, id: string | null | undefined) => string | null} NameOf */

/**
 * Names as they become known. What it is asked for is looked up; whoever uses it is drawn again when something was found.
 * @returns {NameOf}
 */
export function useNames() {
  useShared(changes);
  const failure = useShared(failed);
  useEffect(() => { if (failure) toast(failure, { what: t("names.failed") }); }, [failure]);
  return nameOf;
}

/** @type {NameOf} */
function nameOf(kind, id) {
  if (kind === FALLBACK) return nameOf("user", id); // the budget that users have for looking at plans
  if (!kind || !id) return null;
  if (person !== session.value.person) { // what one was told is not shown to another
    known.clear();
    asking.clear();
    person = session.value.person;
  }
  const called = known.get(`${kind} ${id}`);
  if (!asking.has(id) && (!called || called.until < Date.now())) {
    wanted.add(id);
    timer ??= window.setTimeout(lookUp, TOGETHER_MS);
  }
  return called?.name ?? null;
}

async function lookUp() {
  const ids = [...wanted];
  wanted = new Set();
  timer = undefined;
  for (const id of ids) asking.add(id);
  const mine = person;
  /** @type {[string[], Known[] | null][]} */
  const answers = [];
  /** @type {Failure | null} */
  let missed = null;
  for (let at = 0; at < ids.length; at += MOST) {
    const some = ids.slice(at, at + MOST);
    try {
      answers.push([some, await api(withQuery("/directory", { ids: some.join("\n"), limit: 2 * MOST }))]);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      answers.push([some, null]);
      missed = failure;
    }
  }
  if (mine !== session.value.person) return;
  for (const id of ids) asking.delete(id);
  failed.set(missed);
  if (known.size > LARGEST) known.clear();
  if (learn(answers)) changes.set(changes.value + 1);
}

/**
 * @param {[string[], Known[] | null][]} answers who was asked for, and who was found; `null`: nobody could say
 * @returns {boolean} whether somebody is called otherwise than before
 */
function learn(answers) {
  const now = Date.now();
  let news = false;
  for (const [asked, found] of answers) {
    for (const id of asked) for (const kind of ["user", "workspace"]) {
      const was = known.get(`${kind} ${id}`);
      const pause = found ? Math.min(AGAIN_MS, was ? 2 * was.pause : SOON_MS) : AGAIN_MS;
      known.set(`${kind} ${id}`, { name: was?.name ?? null, until: now + pause, pause });
    }
    for (const { kind, id, name } of found ?? []) {
      if (!name) continue;
      news ||= known.get(`${kind} ${id}`)?.name !== name;
      known.set(`${kind} ${id}`, { name, until: now + HOLDS_MS, pause: SOON_MS });
    }
  }
  return news;
}

/**
 * A scope: its kind, and its name or id.
 * @param {{kind?: string | null, id?: string | null, name?: string | null}} props
 */
export function Who({ kind, id, name = null }) {
  return html`<span class="who"><${Badge} title=${kind === FALLBACK ? t("fallback.what") : undefined}>${tWord("kind", kind)}<//> <${Id} id=${id} name=${name} /></span>`;
}
