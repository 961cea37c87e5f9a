// Asking the gateway: one function, one kind of failure, and answers kept by ETag so that polling costs little.

import { session, renew, expire } from "./session.js";
import { noteTime } from "./clock.js";
import { Failure } from "./failure.js";

export { Failure };

/** The prefix of the billing API, from where this file lies: PREFIX/assets/VERSION/js/http.js. */
export const PREFIX = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

const KEPT = 40;
/** How long a question may take, and a change, which may have to ask a payment provider. */
const PATIENCE_MS = { reads: 20_000, writes: 60_000 };
/** @type {Map<string, {etag: string, data: any}>} */
const known = new Map();
/** @type {WeakMap<object, string>} */
const tags = new WeakMap();

/**
 * The revision that an answer had, for changing what it tells of.
 * @param {object | null | undefined} data
 */
export function etagOf(data) {
  return data ? tags.get(data) : undefined;
}

/**
 * @typedef {object} Asked
 * @property {string} [method]
 * @property {any} [body] sent as JSON
 * @property {string | null} [workspace] the workspace to act for
 * @property {string} [etag] the revision that is changed (If-Match)
 * @property {AbortSignal} [signal]
 * @property {string} [accept]
 * @property {boolean} [anonymous] without the token
 * @property {string} [token] this one instead, whose refusal ends no session
 * @property {boolean} [harmless] it changes nothing that a second try would change again, whatever its method
 * @property {number} [patience] milliseconds until it is given up
 * @property {string} [once] by what a repetition is known as the same, so that it is done once (Idempotency-Key)
 */

/**
 * Ask the billing API. GET answers are the very same object while the server says nothing has changed.
 * @param {string} path below the prefix, with its query
 * @param {Asked} [asked]
 * @returns {Promise<any>}
 */
export function api(path, asked = {}) {
  return ask(PREFIX + path, asked);
}

/**
 * A list that a gateway without a database does not have: then it is empty.
 * @param {string} path
 * @param {Asked} asked
 * @returns {Promise<any[]>}
 */
export function listOrNone(path, asked) {
  return api(path, asked).catch((failure) => {
    if (failure instanceof Failure && failure.status === 404) return [];
    throw failure;
  });
}

/**
 * Ask the gateway for any path: the upstream's login and workspaces as well. A 401 is answered by one renewal.
 * @param {string} url
 * @param {Asked} [asked]
 * @returns {Promise<any>}
 */
export async function ask(url, asked = {}) {
  const token = session.value.token;
  try {
    return await once(url, asked);
  } catch (failure) {
    if (!refusesToken(failure) || asked.anonymous || asked.token || !token) throw failure;
    if (session.value.token === token) await renewed(/** @type {Failure} */ (failure));
    return again(url, asked);
  }
}

/** @param {unknown} failure */
function refusesToken(failure) {
  return failure instanceof Failure && failure.status === 401;
}

/**
 * A new token, or the reason why there is none. That nobody could be reached ends no session.
 * @param {Failure} refusal of the old one
 */
async function renewed(refusal) {
  try {
    if (await renew(ask)) return;
  } catch (failure) {
    // What was asked for was refused, for its token: so it was not done, whatever became of the renewal.
    throw failure instanceof Failure ? new Failure(failure.status, failure.body, { ...failure, wrote: false }) : refusal;
  }
  expire();
  throw refusal;
}

/**
 * The same with the new token. If that is refused too, there is no use in having it.
 * @param {string} url
 * @param {Asked} asked
 */
async function again(url, asked) {
  const token = session.value.token;
  try {
    return await once(url, asked);
  } catch (failure) {
    if (refusesToken(failure) && token && session.value.token === token) expire();
    throw failure;
  }
}

/**
 * @param {string} url
 * @param {Asked} asked
 */
async function once(url, asked) {
  const reads = !asked.method || asked.method === "GET";
  const key = `${asked.workspace ?? ""} ${asked.token ?? session.value.token ?? ""} ${asked.accept ?? ""} ${url}`;
  const kept = reads ? known.get(key) : undefined;
  const sent = Date.now();
  const { answer, text } = await send(url, asked, reads, kept?.etag);
  noteTime(answer.headers.get("date"), sent);
  if (answer.status === 304 && kept) return kept.data;
  const more = { ...about(answer), wrote: !reads && !asked.harmless };
  if (!answer.ok) throw new Failure(answer.status, said(text), more);
  const data = understood(text, answer, asked.accept);
  if (data === undefined || (reads && data === null)) throw new Failure(0, null, { ...more, kind: "broken" });
  const etag = answer.headers.get("etag");
  if (data && typeof data === "object" && etag) tags.set(data, etag);
  if (reads) keep(key, etag, data);
  return data;
}

/**
 * Send it and read the whole answer, in a time that has an end.
 * @param {string} url
 * @param {Asked} asked
 * @param {boolean} reads
 * @param {string} [etag]
 * @returns {Promise<{answer: Response, text: string}>}
 */
async function send(url, asked, reads, etag) {
  const stop = new AbortController();
  const give = () => stop.abort();
  let late = false;
  let answer = null;
  const timer = setTimeout(() => { late = true; give(); }, asked.patience ?? PATIENCE_MS[reads ? "reads" : "writes"]);
  asked.signal?.addEventListener("abort", give);
  if (asked.signal?.aborted) give();
  try {
    answer = await fetch(url, {
      method: asked.method ?? "GET", headers: fieldsOf(asked, etag), body: asked.body === undefined ? undefined : JSON.stringify(asked.body),
      signal: stop.signal, cache: "no-store", credentials: "omit", redirect: "error",
    });
    return { answer, text: await answer.text() };
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw new Failure(0, null, { ...(answer ? about(answer) : {}), wrote: !reads && !asked.harmless, kind: late ? "late" : answer ? "broken" : "silent" });
  } finally {
    clearTimeout(timer);
    asked.signal?.removeEventListener("abort", give);
  }
}

/** @param {Asked} asked @param {string} [etag] */
function fieldsOf(asked, etag) {
  /** @type {Record<string, string>} */
  const headers = { Accept: asked.accept ?? "application/json" };
  const token = asked.anonymous ? null : asked.token ?? session.value.token;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (asked.workspace) headers[session.value.workspaceHeader] = asked.workspace;
  if (asked.body !== undefined) headers["Content-Type"] = "application/json";
  if (asked.etag) headers["If-Match"] = asked.etag;
  if (asked.once) headers["Idempotency-Key"] = asked.once;
  if (etag) headers["If-None-Match"] = etag;
  return headers;
}

/**
 * @param {string} text
 * @param {Response} answer
 * @param {string} [accept]
 * @returns {any} `undefined`: it cannot be read
 */
function understood(text, answer, accept) {
  if (accept && !(answer.headers.get("content-type") ?? "").includes("json")) return text;
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What a refusal says: mostly JSON, from what stands before the gateway maybe a page.
 * @param {string} text
 */
function said(text) {
  try {
    return JSON.parse(text);
  } catch {
    return /^\s*</.test(text) ? null : { message: text.slice(0, 300) };
  }
}

/** @param {Response} answer */
function about(answer) {
  const after = Number(answer.headers.get("retry-after"));
  return { requestId: answer.headers.get("x-request-id"), retryAfter: Number.isFinite(after) && after > 0 ? after : null };
}

/**
 * @param {string} key
 * @param {string | null} etag
 * @param {any} data
 */
function keep(key, etag, data) {
  known.delete(key);
  if (!etag) return;
  known.set(key, { etag, data });
  const oldest = known.keys().next().value;
  if (known.size > KEPT && oldest !== undefined) known.delete(oldest);
}

/** Forget every kept answer: another person may sit here now. */
export function forget() {
  known.clear();
}

/**
 * A path with those parameters that say something.
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} parameters
 */
export function withQuery(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}
