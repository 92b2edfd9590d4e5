/**
 * Finds the words of the page in the reader's language: all texts stand in texts/, one file a language.
 */
import { en } from "./texts/en.js";
import { de } from "./texts/de.js";

/** @type {Record<string, Record<string, string>>} */
const LANGUAGES = { en, de };
const STORED = "virtcim-language";

const wanted = localStorage.getItem(STORED) ?? navigator.languages.map((each) => each.slice(0, 2)).find((each) => each in LANGUAGES) ?? "en";
export const language = wanted in LANGUAGES ? wanted : "en";
export const languages = Object.keys(LANGUAGES);
document.documentElement.lang = language;

/** @param {string} name */
export function chooseLanguage(name) {
  localStorage.setItem(STORED, name);
  location.reload();
}

/** Characters that turn the direction of what stands around them, too. */
const TURNING = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]/;

/** A value that goes into a text, with its direction for itself alone. @param {string} value */
const isolated = (value) => (TURNING.test(value) ? `\u2068${value}\u2069` : value);

/**
 * The text of a name, with `{these}` filled in; the name itself where there is no text.
 *
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function text(name, values = {}) {
  const found = LANGUAGES[language][name] ?? en[name] ?? name;
  return found.replace(/\{(\w+)\}/g, (whole, key) => isolated(String(values[key] ?? whole)));
}

/** What the server calls something, in the reader's language where that is known. @param {string} english */
export const serverText = (english) => LANGUAGES[language][`server.${english}`] ?? english;

/** The browser's own way of writing numbers and times, where it is of the language. */
const locale = navigator.languages.find((each) => each.slice(0, 2) === language) ?? language;
const number = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });

/** The time of day. @param {number} seconds since 1970 */
export const clockText = (seconds) => clock.format(new Date(seconds * 1000));

/** @param {number | null | undefined} value */
export const numberText = (value) => (value === null || value === undefined ? "–" : number.format(value));

/** Bytes in the unit that reads well. @param {number | null | undefined} bytes */
export function bytesText(bytes) {
  if (bytes === null || bytes === undefined || Number.isNaN(bytes)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${number.format(value)} ${units[unit]}`;
}

/** @param {number | null | undefined} value */
export const percentText = (value) => (value === null || value === undefined ? "–" : `${number.format(value)} %`);

/** Seconds as days, hours, minutes. @param {number | null | undefined} seconds */
export function durationText(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let rest = Math.floor(seconds);
  const shown = [];
  for (const [size, unit] of parts) {
    const count = Math.floor(rest / Number(size));
    rest -= count * Number(size);
    if (count) shown.push(`${count} ${unit}`);
  }
  return shown.slice(0, 2).join(" ") || "0 s";
}

/** A CIM date and time, or a Date, as the browser writes it. @param {string | Date | null | undefined} value */
export function timeText(value) {
  if (!value) return "–";
  if (value instanceof Date) return moment.format(value);
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.\d{6}([+-])(\d{3})$/.exec(value);
  if (!found) return value;
  const [, year, month, day, hour, minute, second, sign, offset] = found;
  const local = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
  return moment.format(new Date(local - (sign === "-" ? -1 : 1) * Number(offset) * 60000));
}
