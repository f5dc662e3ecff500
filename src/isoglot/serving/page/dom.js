// Elements and storage. Data become text nodes and attributes here, never markup.

export const byId = (id) => document.getElementById(id);

// Overrides turn letters around against their script ("gpj.exe"); no writing needs them. Marks and isolates stay.
const OVERRIDES = /[\u202d\u202e]/g;

export const plain = (text) => String(text).replace(OVERRIDES, "");

/** An element with attributes (null and false: left out; true: empty) and children (strings become text). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : plain(child))));
  return element;
}

/** A copy of a <template>'s one element. */
export const copyOf = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** Web storage that may be switched off: then a choice holds as long as the page. */
export function kept(storage, key) {
  let here = null;
  try {
    here = window[storage].getItem(key);
  } catch {}
  return {
    get: () => here,
    set(value) {
      here = value;
      try {
        if (value === null) window[storage].removeItem(key);
        else window[storage].setItem(key, value);
      } catch {}
    },
  };
}
