// Which languages answers are in, against those of the index.

import { make } from "./dom.js";
import { counted, listed, nameOf, paint, reader, share } from "./languages.js";

const NAMED_MISSING = 5;

/** A bar of languages by their counts, in the order of `order`; the same words for those who do not see it. */
function bar(label, counts, order, total, small) {
  const there = order.filter((code) => counts[code] > 0);
  const words = there.map((code) => `${nameOf(code)} ${counted(counts[code])}`).join(", ");
  const parts = there.map((code) => {
    const part = make("span", { class: "part", title: `${nameOf(code)}: ${share(counts[code] / total)}` }, small ? null : make("span", {}, code));
    part.style.flexGrow = counts[code];
    return paint(part, code);
  });
  return make("div", { class: `bar${small ? " small" : ""}`, role: "img", "aria-label": `${label}: ${words}` }, ...parts);
}

function legendEntry(code, found, indexShare) {
  const entry = make("li", {}, make("span", { class: "swatch" }), make("bdi", {}, nameOf(code)), " ", make("b", {}, found));
  if (indexShare !== null) entry.append(make("span", { class: "against", title: "of the index" }, share(indexShare)));
  return paint(entry, code);
}

/** The index's languages alone, for the start. */
export function indexMix(info) {
  const codes = Object.keys(info.languages);
  const legend = codes.map((code) => legendEntry(code, counted(info.languages[code]), null));
  return [
    bar("Languages of the index", info.languages, codes, info.documents, false),
    make("ul", { class: "legend" }, ...legend),
  ];
}

/** The languages of one answer above those of the index, or of the chosen languages in it.
 *
 * @param {object} result one of `results` of POST /search
 */
export function answerMix(result, info, state) {
  const found = result.languages;
  const known = Object.keys(info.languages);
  const chosen = state.languages.length ? known.filter((code) => state.languages.includes(code)) : known;
  const order = [...chosen, ...Object.keys(found).filter((code) => !chosen.includes(code))];
  const index = Object.fromEntries(chosen.map((code) => [code, info.languages[code]]));
  const shown = result.hits.length;
  const all = Object.values(index).reduce((sum, count) => sum + count, 0);
  const there = order.filter((code) => found[code] > 0);
  const missing = chosen.filter((code) => !found[code]);
  const label = state.languages.length ? "Chosen" : "Index";
  return [
    make("div", { class: "bars" },
      make("span", {}, `Top ${counted(shown)}`), bar(`Languages of the top ${shown}`, found, order, shown, false),
      make("span", {}, label), bar(`Languages of the ${label === "Index" ? "index" : "chosen part of the index"}`, index, chosen, all, true)),
    legend(ownLanguage(result, index, shown, all, label), [
      ...there.map((code) => legendEntry(code, counted(found[code]), Object.hasOwn(index, code) ? index[code] / all : null)),
      missing.length ? make("li", { class: "missing" }, `none in ${listed(namesOf(missing))}`) : null,
    ]),
  ];
}

let open = matchMedia("(min-width: 48rem)").matches; // the reader's choice holds for later answers

function legend(words, entries) {
  const details = make("details", { class: "numbers", open }, make("summary", {}, ...words), make("ul", { class: "legend" }, ...entries));
  details.addEventListener("toggle", () => {
    open = details.open;
    for (const other of document.querySelectorAll(".numbers")) other.open = open;
  });
  return details;
}

function namesOf(codes) {
  const names = codes.slice(0, NAMED_MISSING).map(nameOf);
  return codes.length > NAMED_MISSING ? [...names, `${counted(codes.length - NAMED_MISSING)} more`] : names;
}

/** The sentence that the bars are for: how much of the answers is in the question's own language. */
function ownLanguage(result, index, shown, all, label) {
  const own = result.query_language;
  if (!own) return [`Languages of ${counted(shown)} answers`];
  const count = result.languages[own] ?? 0;
  const name = () => make("bdi", { lang: reader }, nameOf(own));
  const documents = label === "Index" ? "all documents" : "documents in the chosen languages";
  const held = Object.hasOwn(index, own) ? `as are ${share(index[own] / all)} of ${documents}` : `as are none of ${documents}`;
  return ["Asked in ", name(), `: ${count ? counted(count) : "none"} of ${counted(shown)} answers ${count === 1 ? "is" : "are"} in `, name(), `, ${held}.`];
}
