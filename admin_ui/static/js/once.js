// What is sent again because its answer was lost is known as the same by its key, and done once.

import { useRef } from "./base.js";

/**
 * The key of what a form sends: another one as soon as it says something else.
 * @returns {(body: object) => string}
 */
export function useOnce() {
  const sent = useRef({ text: "", key: "" });
  return (body) => {
    const text = JSON.stringify(body);
    if (sent.current.text !== text) sent.current = { text, key: nonce() };
    return sent.current.key;
  };
}

function nonce() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
