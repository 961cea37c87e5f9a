// What the owner of a token is called: as the server says, else as the token itself does.

import { api, Failure } from "./http.js";
import { claimsOf } from "./session.js";

/**
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
