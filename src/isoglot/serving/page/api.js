// The server's answers: with a token where one is asked for, again after a pause where the server is busy, errors in plain words.

import { kept } from "./dom.js";

const PATIENCE = 30; // seconds that a pause may take; a longer one is the reader's to decide
const token = kept("sessionStorage", "isoglot-token");

/** The server did not answer; the message is for the reader. */
export class Refused extends Error {}

/** Ask the server.
 *
 * @param {string} path of the endpoint, relative to the page
 * @param {object | null} body sent as JSON; null: GET
 * @param {AbortSignal} signal
 * @param {{waiting: (seconds: number) => void, askToken: (again: boolean) => Promise<string | null>}} reader
 */
export async function call(path, body, signal, reader) {
  let waited = false;
  for (;;) {
    const sent = token.get();
    const response = await reach(path, body, sent, signal);
    if (response.ok) return response.json().catch(() => {
      throw new Refused("The server's answer was cut off. Try again.");
    });
    if (response.status === 401) {
      // another column may have asked meanwhile
      if (token.get() === sent) token.set(await reader.askToken(sent !== null));
      signal.throwIfAborted();
      if (token.get() === null) throw new Refused("This index asks for a token. Search again to enter one.");
      continue;
    }
    const pause = pauseOf(response);
    if (pause === null || pause > PATIENCE || waited) throw new Refused(await wordsFor(response, pause));
    waited = true;
    reader.waiting(pause);
    await sleep(pause, signal);
  }
}

async function reach(path, body, bearer, signal) {
  const headers = { Accept: "application/json" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (body) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused("The server cannot be reached. Is it still running?");
  }
}

/** Seconds until the server wants to be asked again; null where it is not busy. */
function pauseOf(response) {
  if (response.status !== 429 && response.status !== 503) return null;
  const after = response.headers.get("Retry-After") ?? "1";
  const seconds = /^\d+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? 1 : Math.max(0, Math.ceil(seconds));
}

async function wordsFor(response, pause) {
  if (pause !== null) return `The server is busy. Try again ${pause > 1 ? `in ${pause} seconds` : "in a moment"}.`;
  const said = await response.json().then((json) => json.error?.message, () => null);
  if (response.status === 413) return "That question is too long for this server.";
  if (response.status >= 500) return `The server failed on this question (error ${response.status}).`;
  return said ? `The server does not take this: ${said}` : `The server refused (error ${response.status}).`;
}

function sleep(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
