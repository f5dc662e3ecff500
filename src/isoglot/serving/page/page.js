// The search page: asks the server what there is, then what is asked, and shows it.

import { call, Refused } from "./api.js";
import { build } from "./controls.js";
import { byId, kept, make, plain } from "./dom.js";
import { listen } from "./keys.js";
import { colour, counted, listed } from "./languages.js";
import { indexMix } from "./mix.js";
import { show } from "./results.js";
import { read, requests, write } from "./state.js";

const SHOWN = 20;
const PAUSE = 150; // milliseconds without a further turn of the dial

let info, state, controls;
let running = new AbortController();
let turning = null; // the timer of a dial that may be turned further
let dialling = false; // the last change was one of the dial
let answered = null; // the question whose answers are on the page

function notice(words) {
  byId("notice").textContent = plain(words);
  byId("notice").hidden = !words;
}

const people = {
  waiting: (seconds) => notice(`The server is busy. Trying again in ${counted(seconds)} s …`),
  askToken,
};

let tokenAsked = null; // one form, however many requests need it

function askToken(again) {
  tokenAsked ??= new Promise((resolve) => {
    const dialog = byId("token");
    byId("token-wrong").hidden = !again;
    byId("token-value").value = "";
    dialog.returnValue = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      tokenAsked = null;
      resolve((dialog.returnValue === "use" && byId("token-value").value.trim()) || null);
    }, { once: true });
  });
  return tokenAsked;
}

/** Ask for the state's answers, one request a column, and show them together; what was running is dropped.
 *
 * @param {string} remark said beside them
 */
async function search(remark = "") {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  clearTimeout(turning);
  controls.show(state);
  document.documentElement.classList.toggle("start", !state.q);
  document.title = [state.q, info.title].filter(Boolean).map(plain).join(" – ");
  notice(remark);
  busy(Boolean(state.q));
  if (!state.q) return;
  const asked = requests(state, Math.min(SHOWN, info.limits?.k ?? SHOWN));
  const answers = await Promise.all(asked.map((body) => call("search", body, signal, people).catch((error) => ({ error: said(error) }))));
  if (signal.aborted) return;
  busy(false);
  const failed = answers.filter((answer) => answer.error);
  // said once where all columns failed for one reason
  const same = failed.length === answers.length && failed.every((answer) => answer.error === failed[0].error);
  notice(same ? failed[0].error : remark);
  const hits = answers.map((answer) => answer.results?.[0].hits ?? null);
  const moving = answered === state.q;
  answers.forEach((answer, place) => show(controls.columns[place], same ? { error: "" } : answer,
    { info, state, before: place ? hits[place - 1] : null, after: hits[place + 1] ?? null }, moving));
  answered = state.q;
  byId("status").textContent = same ? "" : summary(answers);
}

function said(error) {
  if (error instanceof Refused || error.name === "AbortError") return error.message;
  console.error(error);
  return "Something went wrong on this page. Try again.";
}

function summary(answers) {
  return answers.map((answer) => {
    const result = answer.results?.[0];
    return result ? `${answer.model}: ${result.hits.length} answers in ${Object.keys(result.languages).length} languages.` : answer.error;
  }).join(" ");
}

/** Answers that are there stay while others are on their way; only what takes long is seen to wait. */
function busy(on) {
  document.body.classList.toggle("busy", on);
  byId("columns").setAttribute("aria-busy", on);
}

/** The reader changed something. Every change can be gone back to; turns of the dial in a row are one. */
function changed(change, soon = false) {
  if ("q" in change && change.q !== state.q) scrollTo({ top: 0 });
  state = { ...state, ...change };
  controls.show(state);
  clearTimeout(turning);
  if (soon) turning = setTimeout(() => arrive(true), PAUSE);
  else arrive(false);
}

function arrive(dial) {
  const address = write(state, info);
  if ((dial && dialling) || address === location.search) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  dialling = dial;
  search();
}

function fromAddress() {
  const { state: linked, strange } = read(location.search, info);
  state = linked;
  dialling = false;
  search(strange.length ? `This link asks for what this index does not have: ${listed(strange)}.` : "");
}

function describe() {
  byId("name").textContent = plain(info.title);
  const languages = Object.keys(info.languages).length;
  byId("size").textContent = `${counted(info.documents)} documents in ${counted(languages)} ${languages === 1 ? "language" : "languages"}`;
  byId("examples").append(...[...new Set(info.examples)].map((example) => {
    const link = make("a", { href: `?q=${encodeURIComponent(example)}`, dir: "auto" }, example);
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      changed({ q: example });
    });
    return make("li", {}, link);
  }));
  byId("index-mix").append(...indexMix(info));
}

function theme() {
  const choice = kept("localStorage", "isoglot-theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (choice.get() ? choice.get() === "dark" : system.matches);
  const label = () => byId("theme").setAttribute("aria-label", dark() ? "Light colours" : "Dark colours");
  byId("theme").addEventListener("click", () => {
    const wanted = dark() ? "light" : "dark";
    choice.set(wanted === (system.matches ? "dark" : "light") ? null : wanted);
    document.documentElement.dataset.theme = choice.get() ?? "";
    label();
  });
  system.addEventListener("change", label);
  label();
}

/** The same document in the other column, while the pointer or the focus is on one. */
function twins(event) {
  const id = event.target.closest?.(".hit")?.dataset.id;
  for (const item of document.querySelectorAll(".hit")) item.classList.toggle("twin", item.dataset.id === id);
}

async function start() {
  notice("");
  try {
    info = await call("info", null, running.signal, people);
  } catch (error) {
    notice(said(error));
    byId("notice").append(" ", make("button", { type: "button" }, "Try again"));
    byId("notice").querySelector("button").addEventListener("click", start);
    return;
  }
  colour(Object.keys(info.languages));
  describe();
  controls = build(info, () => state, changed);
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const q = byId("question").value.trim();
    if (!q) return;
    if (matchMedia("(pointer: coarse)").matches) byId("question").blur(); // the keyboard on the screen makes room
    changed({ q });
  });
  byId("columns").addEventListener("pointerover", twins);
  byId("columns").addEventListener("focusin", twins);
  addEventListener("popstate", fromAddress);
  listen();
  document.body.classList.remove("loading");
  fromAddress();
}

theme();
byId("filters").open = matchMedia("(min-width: 64rem)").matches;
start();
