// The purchase on its way to the payment provider and back: which one it was, for the page that people come back to.

import { Failure } from "../http.js";

const KEPT = "weighbridge.checkout";

/** @typedef {{external_id?: string, plan?: string, workspace: string | null, id?: string}} Checkout */

/** @param {Checkout} checkout */
export function rememberCheckout(checkout) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(checkout));
  } catch {
    // Storage is switched off: the page will show the newest subscription.
  }
}

/** @returns {Checkout | null} */
export function rememberedCheckout() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
  } catch {
    return null;
  }
}

export function forgetCheckout() {
  try {
    sessionStorage.removeItem(KEPT);
  } catch {
    // Nothing was kept.
  }
}

/**
 * Leave for the payment provider's page. What is no address of one is not followed.
 * @param {unknown} url
 */
export function leaveFor(url) {
  const text = typeof url === "string" ? url.trim() : "";
  if (!/^https?:\/\//.test(text)) throw new Failure(0, null, { kind: "broken" });
  location.assign(text);
}
