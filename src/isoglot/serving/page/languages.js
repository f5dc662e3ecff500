// Languages: their names in the reader's words, their direction, their colour; numbers as the reader writes them.

const names = new Intl.DisplayNames(navigator.languages, { type: "language" });
const RIGHT_TO_LEFT = new Set("Adlm Arab Hebr Mand Mend Nkoo Rohg Samr Syrc Thaa Yezi".split(" "));
// 12 hues that neighbours in a bar tell apart, also in pairs for most kinds of colour vision; more languages begin again
const HUES = [255, 75, 165, 25, 305, 115, 220, 50, 345, 190, 95, 280];

/** The locale of names and numbers. */
export const reader = names.resolvedOptions().locale;

const number = new Intl.NumberFormat(navigator.languages);
const percent = new Intl.NumberFormat(navigator.languages, { style: "percent", maximumFractionDigits: 0 });
const digits = new Intl.NumberFormat(navigator.languages, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const list = new Intl.ListFormat("en", { type: "conjunction" });

export const counted = (value) => number.format(value);
export const share = (value) => (value > 0 && value < 0.01 ? `<${percent.format(0.01)}` : percent.format(value));
export const score = (value) => digits.format(value);
export const duration = (ms) => (ms < 1000 ? `${number.format(Math.max(1, Math.round(ms)))} ms` : `${number.format(Math.round(ms / 100) / 10)} s`);
export const listed = (words) => list.format(words);

function locale(code) {
  try {
    return new Intl.Locale(code);
  } catch {
    return null; // not a language tag
  }
}

/** A value for the attribute `lang`; "" (unknown) where the code is none. */
export const tagOf = (code) => locale(code)?.toString() ?? "";

/** "rtl" or "ltr" by the script that the language is written in; "auto" (by the text) where that is not known. */
export function directionOf(code) {
  const script = code?.startsWith("und") ? null : locale(code)?.maximize().script;
  return script ? (RIGHT_TO_LEFT.has(script) ? "rtl" : "ltr") : "auto";
}

export function nameOf(code) {
  if (!code || code === "und") return "unknown language";
  try {
    return names.of(code) ?? code;
  } catch {
    return code;
  }
}

const hues = new Map();

/** Give every language its colour; the index's own order, so that large ones are told apart best. */
export function colour(codes) {
  codes.forEach((code, place) => hues.set(code, HUES[place % HUES.length]));
}

/** Put a language's colour on an element, as variables of the style sheet. */
export function paint(element, code) {
  if (hues.has(code)) element.style.setProperty("--hue", hues.get(code));
  else element.style.setProperty("--chroma", 0);
  return element;
}
