// Asking the gateway: one function, one kind of failure, and answers kept by ETag so that polling costs little.

import { session, renew, expire } from "./session.js";
import { noteTime } from "./clock.js";
import { sayFailure } from "./failure.js";

/** The prefix of the billing API, from where this file lies: PREFIX/assets/VERSION/js/http.js. */
export const PREFIX = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

const KEPT = 40;
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

export class Failure extends Error {
  /**
   * @param {number} status 0: there was no answer
   * @param {any} body what the server said
   * @param {{requestId?: string | null, retryAfter?: number | null}} [more]
   */
  constructor(status, body, more = {}) {
    super(sayFailure(status, body));
    this.status = status;
    this.body = body;
    /** @type {{field: string, problem: string}[]} */
    this.fields = body?.content?.fields ?? body?.fields ?? [];
    this.requestId = more.requestId ?? body?.content?.request_id ?? null;
    this.retryAfter = more.retryAfter ?? null;
  }
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
    if (!(failure instanceof Failure) || failure.status !== 401 || asked.anonymous || !token) throw failure;
    if (session.value.token === token && !(await renew(ask))) {
      expire();
      throw failure;
    }
    return once(url, asked);
  }
}

/**
 * @param {string} url
 * @param {Asked} asked
 */
async function once(url, asked) {
  const reads = !asked.method || asked.method === "GET";
  const key = `${asked.workspace ?? ""} ${session.value.token ?? ""} ${asked.accept ?? ""} ${url}`;
  const kept = reads ? known.get(key) : undefined;
  const answer = await send(url, asked, kept?.etag);
  noteTime(answer.headers.get("date"));
  if (answer.status === 304 && kept) return kept.data;
  const data = await read(answer, asked.accept);
  if (!answer.ok) throw new Failure(answer.status, data, about(answer));
  const etag = answer.headers.get("etag");
  if (data && typeof data === "object" && etag) tags.set(data, etag);
  if (reads) keep(key, etag, data);
  return data;
}

/**
 * @param {string} url
 * @param {Asked} asked
 * @param {string} [etag]
 */
async function send(url, asked, etag) {
  /** @type {Record<string, string>} */
  const headers = { Accept: asked.accept ?? "application/json" };
  if (!asked.anonymous && session.value.token) headers.Authorization = `Bearer ${session.value.token}`;
  if (asked.workspace) headers[session.value.workspaceHeader] = asked.workspace;
  if (asked.body !== undefined) headers["Content-Type"] = "application/json";
  if (asked.etag) headers["If-Match"] = asked.etag;
  if (etag) headers["If-None-Match"] = etag;
  const body = asked.body === undefined ? undefined : JSON.stringify(asked.body);
  try {
    return await fetch(url, {
      method: asked.method ?? "GET", headers, body, signal: asked.signal, cache: "no-store", credentials: "omit", redirect: "error",
    });
  } catch (error) {
    if (asked.signal?.aborted) throw error;
    throw new Failure(0, null);
  }
}

/**
 * @param {Response} answer
 * @param {string} [accept]
 */
async function read(answer, accept) {
  const text = await answer.text();
  const kind = answer.headers.get("content-type") ?? "";
  if (accept && answer.ok && !kind.includes("json")) return text;
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return answer.ok ? text : { message: text.slice(0, 300) };
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
