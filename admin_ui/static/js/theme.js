// Light, dark, or as the system says.

import { Shared } from "./base.js";

const CHOSEN = "weighbridge.theme";
/** @typedef {"auto" | "light" | "dark"} Theme */

export const theme = new Shared(/** @type {Theme} */ ("auto"));

export function beginTheme() {
  try {
    show(/** @type {Theme} */ (localStorage.getItem(CHOSEN) ?? "auto"));
  } catch {
    show("auto");
  }
}

/** @param {Theme} wanted */
export function chooseTheme(wanted) {
  try {
    localStorage.setItem(CHOSEN, wanted);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  show(wanted);
}

/** @param {Theme} wanted */
function show(wanted) {
  if (wanted === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  theme.set(wanted);
}
