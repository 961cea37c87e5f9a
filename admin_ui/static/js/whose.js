// The owner of a token that a link may have brought: whether it is taken, and what they are called.

import { t } from "./i18n.js";
import { api, Failure } from "./http.js";
import { claimsOf } from "./session.js";
import { toast } from "./parts/toasts.js";

/**
 * Whether a link's token is taken. Whoever followed the link is told if it is not: one that is refused ends no session.
 * @param {string} token
 */
export async function isGood(token) {
  try {
    await api("/me", { token });
    return true;
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure;
    toast(failure, { what: t("handed.refused") });
    return false;
  }
}

/**
 * As the server says, else as the token itself does.
 * @param {string | null} token in use, or offered by a link
 * @returns {Promise<string | null>} `null`: nobody says
 */
export async function ownerOf(token) {
  if (!token) return null;
  try {
    const me = await api("/me", { token });
    if (me.name) return me.name;
  } catch (failure) {
    if (!(failure instanceof Failure)) throw failure; // the view that needs it says what is wrong
  }
  const claims = claimsOf(token);
  for (const one of [claims.name, claims.email, claims.preferred_username]) if (typeof one === "string" && one) return one;
  return null;
}
