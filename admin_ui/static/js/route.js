// Where the reader is: the fragment, such as #/subscriptions?status=active. It never leaves the browser.

import { Shared, useShared } from "./base.js";

/** @typedef {{view: string, rest: string[], query: URLSearchParams}} Route */

/** @returns {Route} */
function here() {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", ...rest] = path.split("/").map(decoded);
  return { view, rest, query: new URLSearchParams(query) };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // typed by hand, and no name of a view
  }
}

const route = new Shared(here());
let shown = location.hash;

/** Who holds something that would be lost elsewhere. Each, asked, asks the reader, and says whether the reader must stay. */
export const keepers = new Set(/** @type {(() => boolean)[]} */ ([]));

window.addEventListener("hashchange", () => {
  const next = here();
  if (next.view !== route.value.view && [...keepers].some((keeps) => keeps())) {
    history.pushState(null, "", shown || "#");
    return;
  }
  shown = location.hash;
  route.set(next);
});

/** Read the fragment again, after it was replaced without an event. */
export function readRoute() {
  shown = location.hash;
  route.set(here());
}

export function useRoute() {
  return useShared(route);
}

/**
 * @param {string} view
 * @param {Record<string, string>} [query]
 */
export function link(view, query) {
  const text = new URLSearchParams(query).toString();
  return `#/${view}${text ? `?${text}` : ""}`;
}

/**
 * @param {string} view
 * @param {Record<string, string>} [query]
 */
export function go(view, query) {
  location.hash = link(view, query);
}
