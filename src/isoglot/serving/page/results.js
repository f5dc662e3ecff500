// Answers as lists, one per column, and where documents went between two of them.

import { copyOf, make, plain } from "./dom.js";
import { directionOf, duration, nameOf, paint, reader, score, tagOf } from "./languages.js";
import { answerMix } from "./mix.js";
import { linkOf, snippetOf } from "./text.js";

const FACTS = 4; // metadata shown per document
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Show one column's answer.
 *
 * @param {HTMLElement} column
 * @param {object} answer of POST /search for one query, or `{error: message}`
 * @param {{info: object, state: object, before: object[] | null, after: object[] | null}} context the hits of the column
 *   before this one, and of the one after it, where there is one
 */
export function show(column, answer, context, moving) {
  const list = column.querySelector(".hits");
  const result = answer.results?.[0] ?? null;
  const places = moving && !calm.matches ? placesOf(list) : null;
  const focused = list.contains(document.activeElement) ? document.activeElement.closest(".hit").dataset.id : null;
  column.querySelector(".how").textContent = result ? howOf(answer) : "";
  const why = column.querySelector(".why");
  why.textContent = answer.error ?? (result.hits.length ? "" : plain(result.why ?? "Nothing was found."));
  why.classList.toggle("error", Boolean(answer.error));
  column.querySelector(".mix").replaceChildren(...(result?.hits.length ? answerMix(result, context.info, context.state) : []));
  list.replaceChildren(...(result?.hits ?? []).map((hit) => hitElement(hit, context)));
  if (focused !== null) [...list.children].find((item) => item.dataset.id === focused)?.focus({ preventScroll: true });
  if (places?.size) glide(list, places);
}

function howOf(answer) {
  const how = answer.fairness === "raw" ? "as scored" : answer.fairness;
  const strength = answer.fairness === "standardised" && answer.strength !== null ? ` ${answer.strength}` : "";
  return `${how}${strength} · ${duration(answer.took_ms)}`;
}

function hitElement(hit, { before, after }) {
  const item = copyOf("hit");
  const part = (name) => item.querySelector(`.${name}`);
  item.dataset.id = hit.id;
  item.classList.toggle("rtl", directionOf(hit.lang) === "rtl");
  part("rank").textContent = hit.rank;
  part("score").textContent = score(hit.score);
  part("badge").append(make("bdi", { lang: reader }, nameOf(hit.lang)));
  part("badge").title = hit.lang ?? "";
  paint(part("badge"), hit.lang);
  if (before) part("move").replaceWith(movement(hit, before));
  else if (after && !after.some((other) => other.id === hit.id)) part("move").replaceWith(make("span", { class: "move out" }, "drops out"));
  else part("move").remove();
  title(part("title"), part("address"), hit);
  snippet(part("snippet"), part("more"), hit);
  const facts = Object.entries(hit.metadata ?? {}).slice(0, FACTS);
  part("facts").append(...facts.map(([key, value]) => make("span", {}, make("bdi", {}, `${key}: ${value}`))));
  return item;
}

/** Text in a document's language, reading in its direction. */
function speak(element, lang) {
  element.lang = tagOf(lang);
  element.dir = directionOf(lang);
}

function title(heading, address, hit) {
  const link = linkOf(hit.url);
  const words = plain(hit.title || link?.host || hit.id);
  heading.append(link ? make("a", { href: link.href }, words) : words);
  if (hit.title) speak(heading, hit.lang);
  // host in its ASCII form, so that no letter passes for another
  if (link) address.textContent = plain(link.host + (link.pathname === "/" ? "" : link.pathname));
  else address.remove();
}

function snippet(paragraph, more, hit) {
  const part = snippetOf(hit.text, hit.sentence);
  const fill = (before, after) => paragraph.replaceChildren(plain(before), part.sentence ? make("mark", {}, part.sentence) : "", plain(after));
  speak(paragraph, hit.lang);
  fill(part.before, part.after);
  if (!part.cut) return more.remove();
  more.addEventListener("click", () => {
    const open = more.getAttribute("aria-expanded") === "false";
    more.setAttribute("aria-expanded", open);
    more.textContent = open ? "Less" : "More";
    fill(open ? part.allBefore : part.before, open ? part.allAfter : part.after);
  });
}

/** Where a document was in the column before: up, down, the same place, or not among what is shown there. */
function movement(hit, before) {
  const was = before.find((other) => other.id === hit.id)?.rank;
  if (was === undefined) return make("span", { class: "move new" }, "new");
  if (was === hit.rank) return make("span", { class: "move same" }, make("span", { "aria-hidden": "true" }, "="), make("span", { class: "unseen" }, "same place"));
  const up = was > hit.rank;
  return make("span", { class: `move ${up ? "up" : "down"}` },
    make("span", { "aria-hidden": "true" }, up ? "▲ " : "▼ "), make("span", { class: "unseen" }, up ? "up " : "down "), `from ${was}`);
}

const placesOf = (list) => new Map([...list.children].map((item) => [item.dataset.id, item.getBoundingClientRect().top]));

/** Documents glide from where they were to where they are: the eye sees what the dial does. */
function glide(list, places) {
  const timing = { duration: 380, easing: "cubic-bezier(.2, .7, .2, 1)" };
  for (const item of list.children) {
    const was = places.get(item.dataset.id);
    if (was === undefined) item.animate([{ opacity: 0 }, { opacity: 1 }], timing);
    else {
      const distance = was - item.getBoundingClientRect().top;
      if (distance) item.animate([{ transform: `translateY(${distance}px)` }, { transform: "none" }], timing);
    }
  }
}
