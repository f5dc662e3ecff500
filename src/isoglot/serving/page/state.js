// What is asked, as the address keeps it: a search can be linked, and Back goes back. The names are those of POST /search.
//
// ?q=question&model=first&beside=second&fairness=standardised&strength=0.6&only=right&hybrid=true&lang=de&lang=th&where.source=faq

/** The state of an address, and what of the address does not fit this index. */
export function read(address, info) {
  const asked = new URLSearchParams(address);
  const strange = [];
  const models = info.models.map((model) => model.name);
  const others = models.filter((name) => name !== info.default_model);
  const known = (key, names, otherwise) => {
    const value = asked.get(key);
    if (value === null || names.includes(value)) return value ?? otherwise;
    strange.push(value);
    return otherwise;
  };
  const languages = asked.getAll("lang").filter((code) => Object.hasOwn(info.languages, code) || !strange.push(code));
  const where = {};
  for (const [key, value] of asked) {
    if (!key.startsWith("where.")) continue;
    const field = key.slice("where.".length);
    // values keep their type: 2024 is a number where the index has numbers
    if (Object.hasOwn(info.fields, field)) where[field] = info.fields[field].find((one) => String(one) === value) ?? value;
    else strange.push(field);
  }
  const fairness = known("fairness", info.fairness, "raw");
  const strength = Number(asked.get("strength") ?? 1);
  const state = {
    q: (asked.get("q") ?? "").trim(),
    model: known("model", models, info.default_model),
    beside: known("beside", ["", ...models], others[0] ?? ""),
    fairness,
    strength: fairness !== "standardised" ? 0 : strength >= 0 && strength <= 1 ? strength : 1,
    onlyRight: asked.get("only") === "right",
    hybrid: asked.get("hybrid") === "true",
    languages,
    where,
  };
  return { state, strange };
}

/** The address of a state: what differs from the index's plain answer, and the models where there is a choice. */
export function write(state, info) {
  const asked = new URLSearchParams();
  if (state.q) asked.set("q", state.q);
  if (info.models.length > 1) asked.set("model", state.model);
  if (info.models.length > 1 || state.beside) asked.set("beside", state.beside);
  if (state.fairness !== "raw") asked.set("fairness", state.fairness);
  if (state.fairness === "standardised") asked.set("strength", state.strength);
  if (state.onlyRight) asked.set("only", "right");
  if (state.hybrid) asked.set("hybrid", "true");
  for (const code of state.languages) asked.append("lang", code);
  for (const [field, value] of Object.entries(state.where)) asked.set(`where.${field}`, value);
  return `?${asked}`;
}

/** The body of every column's request, left to right. */
export function requests(state, count) {
  const models = state.beside ? [state.model, state.beside] : [state.model];
  return models.map((model, column) => {
    const plain = state.onlyRight && column === 0 && models.length === 2;
    const body = { query: state.q, k: count, model, fairness: plain ? "raw" : state.fairness };
    if (body.fairness === "standardised") body.strength = state.strength;
    if (state.languages.length) body.languages = state.languages;
    if (Object.keys(state.where).length) body.where = state.where;
    if (state.hybrid) body.hybrid = true;
    return body;
  });
}
