// Everything around the answers that changes them: models, order, dial, filters. Controls show a state and report changes of it.

import { byId, copyOf, make } from "./dom.js";
import { counted, nameOf, paint, reader } from "./languages.js";

const ORDERS = {
  raw: "as scored",
  standardised: "comparable scores",
  "round-robin": "taking turns",
  quota: "shares of places",
};

/** Build the controls of an index.
 *
 * @param {object} info of GET /info
 * @param {() => object} current the state now
 * @param {(change: object, soon?: boolean) => void} changed called with the part of the state that the reader changed;
 *   `soon`: more changes of this kind may follow at once
 * @returns {{columns: HTMLElement[], show: (state: object) => void}}
 */
export function build(info, current, changed) {
  const columns = ["model", "beside"].map((key) => columnFor(key, info, current, changed));
  byId("columns").append(...columns);
  const shown = [order(info, changed), tabs(columns), beside(info, current, changed), languages(info, changed), fields(info, changed)];
  byId("hybrid").addEventListener("change", (event) => changed({ hybrid: event.target.checked }));
  byId("clear").addEventListener("click", () => changed({ languages: [], where: {}, hybrid: false }));
  return {
    columns,
    show(state) {
      byId("question").value = state.q;
      byId("hybrid").checked = state.hybrid;
      const set = state.languages.length + Object.keys(state.where).length + Number(state.hybrid);
      byId("filters-set").textContent = set ? counted(set) : "";
      byId("clear").hidden = !set;
      for (const part of shown) part(state);
      columns.forEach((column, place) => column.show(state, place));
    },
  };
}

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, words]) => make("option", { value }, words)));
}

function columnFor(key, info, current, changed) {
  const column = copyOf("column");
  const select = column.querySelector("select");
  options(select, info.models.map((model) => [model.name, model.name]));
  select.addEventListener("change", () => {
    const { model, beside } = current();
    // the other column's model: on the left the two change places; on the right it is the same model, which only order can change
    if (key === "model") changed({ model: select.value, ...(select.value === beside && { beside: model }) });
    else changed({ beside: select.value, ...(select.value === model && { onlyRight: true }) });
  });
  column.querySelector(".close").addEventListener("click", () => changed({ beside: "", onlyRight: false }));
  column.show = (state) => {
    const two = Boolean(state.beside);
    column.hidden = key === "beside" && !two;
    column.querySelector(".over").textContent = two ? (key === "model" ? "Before" : "After") : "Model";
    column.querySelector(".close").hidden = key === "model";
    select.value = state[key];
    select.title = info.models.find((model) => model.name === state[key])?.source ?? "";
  };
  return column;
}

function beside(info, current, changed) {
  const other = info.models.find((model) => model.name !== info.default_model);
  byId("compare").addEventListener("click", () => {
    const { model, fairness } = current();
    const second = info.models.find((one) => one.name !== model);
    if (second) changed({ beside: second.name });
    else changed({ beside: model, onlyRight: true, ...(fairness === "raw" && info.fairness.includes("standardised") && { fairness: "standardised", strength: 1 }) });
  });
  byId("compare").textContent = other ? "Compare models" : "Compare orders";
  return (state) => {
    byId("compare").hidden = Boolean(state.beside);
    byId("columns").classList.toggle("two", Boolean(state.beside));
  };
}

/** On a narrow screen one column is shown at a time. */
function tabs(columns) {
  const buttons = [...byId("tabs").children];
  const choose = (chosen) => {
    byId("columns").dataset.shown = chosen;
    buttons.forEach((button, place) => button.setAttribute("aria-pressed", String(place === chosen)));
  };
  buttons.forEach((button, place) => button.addEventListener("click", () => choose(place)));
  columns.forEach((column, place) => column.addEventListener("focusin", () => choose(place)));
  choose(1);
  return (state) => {
    byId("tabs").hidden = !state.beside;
    buttons.forEach((button, place) => button.replaceChildren(place ? "After: " : "Before: ", make("bdi", {}, place ? state.beside : state.model)));
  };
}

function order(info, changed) {
  const select = byId("fairness");
  const dial = byId("strength");
  options(select, info.fairness.map((name) => [name, ORDERS[name] ?? name]));
  select.addEventListener("change", () => changed({ fairness: select.value, strength: select.value === "standardised" ? 1 : 0 }));
  dial.addEventListener("input", () => changed({ fairness: "standardised", strength: Number(dial.value) }, true));
  byId("only-right").addEventListener("change", (event) => changed({ onlyRight: event.target.checked }));
  byId("dial").hidden = !info.fairness.includes("standardised");
  return (state) => {
    select.value = state.fairness;
    dial.value = state.strength;
    dial.style.setProperty("--set", state.strength);
    byId("strength-now").textContent = state.strength.toFixed(2);
    dial.disabled = !["raw", "standardised"].includes(state.fairness);
    byId("only-right").checked = state.onlyRight;
    byId("only-right").closest("label").hidden = !state.beside || state.fairness === "raw";
  };
}

function languages(info, changed) {
  const boxes = Object.entries(info.languages).map(([code, count]) => {
    const box = make("input", { type: "checkbox", value: code });
    const label = make("label", { class: "choice" }, box, paint(make("span", { class: "swatch" }), code),
      make("bdi", { lang: reader, title: code }, nameOf(code)), make("span", { class: "count" }, counted(count)));
    byId("languages").append(label);
    return box;
  });
  byId("languages").addEventListener("change", () => changed({ languages: boxes.filter((box) => box.checked).map((box) => box.value) }));
  return (state) => boxes.forEach((box) => (box.checked = state.languages.includes(box.value)));
}

function fields(info, changed) {
  const selects = Object.entries(info.fields).map(([field, known]) => {
    const select = make("select", {});
    byId("fields").append(make("label", { class: "field" }, make("bdi", {}, field), select));
    return { field, select, values: [...known] };
  });
  byId("fields").addEventListener("change", () => {
    const chosen = selects.filter(({ select }) => select.value !== "");
    changed({ where: Object.fromEntries(chosen.map(({ field, select, values }) => [field, values[select.value]])) });
  });
  return (state) => {
    for (const { field, select, values } of selects) {
      const value = state.where[field];
      // a linked search may ask for a value that is not among the frequent ones
      if (value !== undefined && !values.includes(value)) values.push(value);
      options(select, [["", "any"], ...values.map((one, place) => [place, String(one)])]);
      select.value = value === undefined ? "" : values.indexOf(value);
    }
  };
}
