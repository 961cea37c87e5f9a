// What time it is for the server: budgets refill by its clock, and this machine's may be wrong.

import { Shared, useShared, useEffect } from "./base.js";

let ahead = 0;
let noted = false;

/**
 * Note what an answer's Date says: it was written between the asking and now, and cut to whole seconds.
 * @param {string | null} date
 * @param {number} sent when it was asked for, milliseconds
 */
export function noteTime(date, sent) {
  const theirs = date ? Date.parse(date) : NaN;
  if (Number.isNaN(theirs)) return;
  const [least, most] = [theirs - Date.now(), theirs + 1000 - sent];
  const difference = least > 0 ? least : Math.min(0, most);
  if (!noted || Math.abs(difference - ahead) > 1500) ahead = Math.abs(difference) < 1500 ? 0 : difference;
  noted = true;
}

/** Milliseconds, by the server's clock. */
export function serverNow() {
  return Date.now() + ahead;
}

const second = new Shared(0);
let users = 0;
/** @type {number | undefined} */
let timer;

function tick() {
  second.set(Math.floor(serverNow() / 1000));
}

function follow() {
  clearInterval(timer);
  timer = undefined;
  if (users > 0 && !document.hidden) {
    tick();
    timer = window.setInterval(tick, 1000);
  }
}

document.addEventListener("visibilitychange", follow);

/** The current second, drawn anew each second while somebody looks. One timer for the whole page. */
export function useSecond() {
  useEffect(() => {
    users += 1;
    if (users === 1) follow();
    return () => {
      users -= 1;
      if (users === 0) follow();
    };
  }, []);
  const value = useShared(second);
  return value || Math.floor(serverNow() / 1000);
}
