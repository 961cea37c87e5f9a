// Numbers, amounts and times as people read them. Amounts are whole minor units; no arithmetic on fractions.

import { locale, t } from "./i18n.js";

/** @type {Record<string, number>} */
let exponents = {};

/** @param {Record<string, number>} known currency → digits after the point */
export function setCurrencies(known) {
  exponents = known;
}

export function currencies() {
  return Object.keys(exponents);
}

/**
 * Digits after the point: the server's word, else Intl's, else two.
 * @param {string} currency
 */
export function exponent(currency) {
  const known = exponents[currency.toLowerCase()];
  if (known !== undefined) return known;
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

/**
 * Minor units as a decimal text, exactly: 4900 with 2 digits is "49.00".
 * @param {number} minor
 * @param {number} digits
 */
export function decimal(minor, digits) {
  const text = String(Math.abs(minor)).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits);
  return `${minor < 0 ? "-" : ""}${whole}${digits ? `.${text.slice(-digits)}` : ""}`;
}

/**
 * An amount in the reader's manner.
 * @param {number} minor
 * @param {string} currency
 */
export function money(minor, currency) {
  const digits = exponent(currency);
  const text = /** @type {Intl.StringNumericLiteral} */ (decimal(minor, digits));
  try {
    const style = new Intl.NumberFormat(locale(), {
      style: "currency", currency: currency.toUpperCase(), minimumFractionDigits: digits, maximumFractionDigits: digits,
    });
    return style.format(text);
  } catch {
    return `${text} ${currency.toUpperCase()}`;
  }
}

/**
 * What a person typed, in minor units; `null`: no amount, or more digits than the currency has.
 * @param {string} typed
 * @param {string} currency
 * @returns {number | null}
 */
export function minorUnits(typed, currency) {
  const digits = exponent(currency);
  const found = /^\s*(\d{1,12})(?:[.,](\d+))?\s*$/.exec(typed);
  if (!found || (found[2] ?? "").length > digits) return null;
  return Number((found[1] ?? "") + (found[2] ?? "").padEnd(digits, "0"));
}

/** @param {number} value */
export function number(value) {
  return value.toLocaleString(locale());
}

/** @param {number} value */
export function compact(value) {
  return new Intl.NumberFormat(locale(), { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** @param {number} value */
export function rate(value) {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: value < 10 ? 2 : 0 }).format(value);
}

const UNITS = /** @type {const} */ ([["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]]);

/**
 * A length of time in the largest unit that divides it: "1 hour", "90 minutes".
 * @param {number} seconds
 */
export function duration(seconds) {
  const [unit, size] = UNITS.find(([, one]) => seconds >= one && seconds % one === 0) ?? ["second", 1];
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "long" }).format(seconds / size);
}

/**
 * A window as it stands after "per": "hour", "90 minutes", "calendar month".
 * @param {number} seconds
 * @param {string | null} [anchor] what it begins with: of a calendar's days and months that says how long it is
 */
export function windowName(seconds, anchor = null) {
  if (anchor === "day" || anchor === "month") return t(`unit.calendar-${anchor}`);
  const unit = UNITS.find(([, one]) => seconds === one)?.[0];
  return unit ? t(`unit.${unit}`) : duration(seconds);
}

/**
 * "5,000 units per hour".
 * @param {number} amount
 * @param {number} seconds
 * @param {string | null} [anchor]
 */
export function throughput(amount, seconds, anchor = null) {
  return t("per", { amount: number(amount), n: amount, window: windowName(seconds, anchor) });
}

/**
 * Time left, short: "0:42", "2 h 05 min", "3 d 4 h".
 * @param {number} seconds
 */
export function countdown(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const [days, hours, minutes] = [Math.floor(left / 86_400), Math.floor((left % 86_400) / 3_600), Math.floor((left % 3_600) / 60)];
  if (days) return t("countdown.days", { days, hours });
  if (hours) return t("countdown.hours", { hours, minutes: String(minutes).padStart(2, "0") });
  return `${minutes}:${String(left % 60).padStart(2, "0")}`;
}

/**
 * A date, or a date with its time, in the viewer's zone.
 * @param {string | number | Date} at
 * @param {"date" | "minute" | "second" | "time"} [exact]
 */
export function moment(at, exact = "minute") {
  const when = new Date(at);
  if (exact === "time") return when.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit" });
  if (exact === "date") return when.toLocaleDateString(locale(), { dateStyle: "medium" });
  return when.toLocaleString(locale(), { dateStyle: "medium", timeStyle: exact === "second" ? "medium" : "short" });
}

/**
 * The minute of something to come: its time, and its day as well unless that is clear.
 * @param {number} at milliseconds
 * @param {number} now
 */
export function minuteOf(at, now) {
  return moment(Math.floor(at / 60_000) * 60_000, at - now < 20 * 3_600_000 ? "time" : "minute");
}

/**
 * What was typed into a date field, as an instant; `null`: nothing, or no instant (a year of five digits).
 * @param {string} typed
 */
export function instant(typed) {
  const when = /^\d{4}-/.test(typed) ? new Date(typed) : null; // browsers make something of many a text that is no date
  return when && !Number.isNaN(when.getTime()) ? when.toISOString() : null;
}

/** @param {string | number | Date} at */
export function utc(at) {
  return `${new Date(at).toISOString().replace("T", " ").replace(/\.\d+Z$/, "")} UTC`;
}

/**
 * The beginning of an id, for people.
 * @param {string | null | undefined} id
 */
export function shortId(id) {
  return id ? id.slice(0, 8) : "–";
}
