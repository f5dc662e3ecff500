// The keyboard: everything without a mouse.

import { byId, kept } from "./dom.js";

const letters = kept("localStorage", "isoglot-letters"); // "off": keys of one letter do nothing (speech input types them)

const visible = (element) => element && !element.hidden && element.offsetParent !== null;
const columnsNow = () => [...document.querySelectorAll(".column")].filter(visible);
const here = () => document.activeElement.closest(".hit");

function go(hit) {
  hit?.focus();
  hit?.scrollIntoView({ block: "nearest" });
}

/** The next answer, or the previous one; from outside the list its first. */
function step(by) {
  const from = here();
  if (!from) return go(columnsNow()[0]?.querySelector(".hit"));
  const to = by > 0 ? from.nextElementSibling : from.previousElementSibling;
  if (to) go(to);
  else if (by < 0) byId("question").focus();
}

/** The same document in another column, or the answer at the same place. */
function column(place) {
  const columns = [...document.querySelectorAll(".column:not([hidden])")];
  const list = columns[place]?.querySelector(".hits");
  if (!list?.children.length) return;
  byId("columns").dataset.shown = place;
  const items = [...list.children];
  const from = here();
  go(items.find((item) => item.dataset.id === from?.dataset.id) ?? items[from ? [...from.parentElement.children].indexOf(from) : 0] ?? items[0]);
}

function open() {
  const hit = here();
  (hit?.querySelector(".title a") ?? hit?.querySelector(".more"))?.click();
}

const LETTERS = {
  "/": () => (byId("question").focus(), byId("question").select()),
  "?": () => byId("help").showModal(),
  j: () => step(1),
  k: () => step(-1),
  o: open,
  1: () => column(0),
  2: () => column(1),
};

export function listen() {
  byId("letters").checked = letters.get() !== "off";
  byId("letters").addEventListener("change", (event) => letters.set(event.target.checked ? null : "off"));
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    const target = event.target;
    const inBox = target === byId("question");
    const writes = target.matches("input:not([type=checkbox]), select, textarea");
    const act = actionFor(event.key, { inBox, writes });
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actionFor(key, { inBox, writes }) {
  if (key === "ArrowDown" && (inBox || here())) return () => step(1);
  if (key === "ArrowUp" && here()) return () => step(-1);
  if (key === "Escape" && here()) return () => byId("question").focus();
  if (key === "Enter" && document.activeElement.matches(".hit")) return open;
  return !writes && letters.get() !== "off" && Object.hasOwn(LETTERS, key) ? LETTERS[key] : null;
}
