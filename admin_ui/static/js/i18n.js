// Words in the reader's language: English is always here, others are fetched when chosen.

import { Shared } from "./base.js";
import en from "./messages/en.js";

/** @typedef {keyof typeof en | keyof typeof import("./messages/admin-en.js").default} Key */
/** @typedef {Record<Key, string>} Messages */

export const LANGUAGES = /** @type {const} */ ({ en: "English", pt: "Português" });
/** @typedef {keyof typeof LANGUAGES} Language */

const CHOSEN = "weighbridge.language";

export const language = new Shared(/** @type {Language} */ ("en"));
/** @typedef {() => Promise<{default: Record<string, string>}>} Fetch */
/** @type {Record<Language, Fetch[]>} */
const files = { en: [async () => ({ default: en })], pt: [() => import("./messages/pt.js")] };
/** @type {Partial<Messages>} */
let messages = en;

/** The locale that numbers, amounts and times are written in: the browser's own where it speaks the chosen language. */
export function locale() {
  return navigator.languages.find((one) => one.toLowerCase().startsWith(language.value)) ?? language.value;
}

/** Use the language chosen before, else the browser's first that we know. */
export async function beginLanguage() {
  const kept = keptLanguage();
  const spoken = navigator.languages.map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in LANGUAGES);
  const wanted = /** @type {Language} */ (kept ?? spoken ?? "en");
  if (!(await speak(wanted)) && wanted !== "en") await speak("en");
}

function keptLanguage() {
  try {
    const kept = localStorage.getItem(CHOSEN);
    return kept && kept in LANGUAGES ? kept : null;
  } catch {
    return null;
  }
}

/**
 * Speak a language. One whose file does not arrive is not spoken: what is there stays.
 * @param {Language} wanted
 * @returns {Promise<boolean>} whether it is spoken now
 */
export async function speak(wanted) {
  let parts;
  try {
    parts = await Promise.all(files[wanted].map((fetch) => fetch()));
  } catch {
    return false;
  }
  messages = Object.assign({}, ...parts.map((part) => part.default));
  document.documentElement.lang = wanted;
  language.set(wanted);
  return true;
}

/**
 * More messages, of a page that has its own. Before `beginLanguage`.
 * @param {Record<Language, Fetch>} more
 */
export function addMessages(more) {
  for (const name of /** @type {Language[]} */ (Object.keys(LANGUAGES))) files[name].push(more[name]);
}

/** @param {Language} wanted */
export function chooseLanguage(wanted) {
  try {
    localStorage.setItem(CHOSEN, wanted);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  return speak(wanted);
}

/**
 * A message, with `{name}` replaced. "one|many" is chosen by the parameter `n`.
 * @param {Key} key
 * @param {Record<string, string | number>} [parameters]
 * @returns {string}
 */
export function t(key, parameters = {}) {
  const forms = (messages[key] ?? key).split("|");
  const one = forms.length > 1 && new Intl.PluralRules(locale()).select(Number(parameters.n)) === "one";
  const text = forms.length > 1 ? forms[one ? 0 : 1] ?? "" : forms[0] ?? "";
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = parameters[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(locale()) : value;
  });
}

/**
 * Words that the server chose (a status, a kind): ours where we know them, else its own.
 * @param {string} group
 * @param {string | null | undefined} word
 * @param {number} [n] how many, where that matters; many, if it is not said
 * @returns {string}
 */
export function tWord(group, word, n = 2) {
  if (!word) return "–";
  const key = `${group}.${word}`;
  return key in messages ? t(/** @type {Key} */ (key), { n }) : word.replaceAll("_", " ");
}
