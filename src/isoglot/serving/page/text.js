// What of a document's text is shown, and where its matching sentence is.

const BEFORE = 120; // UTF-16 units of context before the sentence
const AFTER = 260; // and after it
const SLACK = 60; // a rest as short as this is not worth a cut

/** Where a count of code points (the server's offsets) is in a string, whose own unit is UTF-16. */
export const unitsOf = (text, points) => Array.from(text).slice(0, points).join("").length;

/** The beginning of the word that contains a position; Thai, Chinese and others without spaces too. */
const wordStart = (text, position) => new Intl.Segmenter(undefined, { granularity: "word" }).segment(text).containing(position).index;

/** A text around its matching sentence: what is before and after it, whole and shortened.
 *
 * @param {string} text
 * @param {[number, number] | null} sentence in code points
 */
export function snippetOf(text, sentence) {
  const [start, end] = sentence ? sentence.map((points) => unitsOf(text, points)) : [0, 0];
  const from = start - BEFORE <= SLACK ? 0 : wordStart(text, start - BEFORE);
  const to = end + AFTER >= text.length - SLACK ? text.length : wordStart(text, end + AFTER);
  return {
    allBefore: text.slice(0, start),
    before: (from > 0 ? "…" : "") + text.slice(from, start),
    sentence: text.slice(start, end),
    after: text.slice(end, to) + (to < text.length ? "…" : ""),
    allAfter: text.slice(end),
    cut: from > 0 || to < text.length,
  };
}

/** A link that may be followed: http or https alone; null for any other, `javascript:` among them. */
export function linkOf(url) {
  try {
    const address = new URL(url);
    return ["http:", "https:"].includes(address.protocol) ? address : null;
  } catch {
    return null; // none, or not an address
  }
}
