// Below the text: how it is read, and why the first candidate won.

import { featureTable, latticeDrawing } from "./explanation.js";
import { ask } from "./session.js";

const PAUSE_MS = 250;
const MOST_CHARACTERS = 600;

/** Return a function that runs another one after a pause in which it was not called again. */
export function afterPause(run, pauseMs = PAUSE_MS) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, pauseMs);
  };
}

/** Show hanzi with their readings above. */
export class ReadingPanel {
  #panel;
  #asked = 0;

  constructor(panel) {
    this.#panel = panel;
  }

  async show(text, { script, kind, key, tell }) {
    const number = ++this.#asked;
    const shown = [...text].slice(-MOST_CHARACTERS).join("");
    if (!/\p{Script=Han}/u.test(shown)) {
      this.#fill([tell("reading_empty")], false);
      return;
    }
    try {
      const answer = await ask("v1/annotate", { body: { text: shown, script }, key });
      if (number !== this.#asked) return;
      this.#fill(answer.characters.map((one) => this.#ruby(one, kind)), true);
    } catch {
      if (number === this.#asked) this.#fill([tell("reading_failed")], false);
    }
  }

  #fill(nodes, isFilled) {
    this.#panel.classList.toggle("filled", isFilled);
    this.#panel.replaceChildren(...nodes);
  }

  #ruby(one, kind) {
    if (one.character === "\n") return document.createElement("br");
    if (one[kind] === null) return one.character;
    const ruby = document.createElement("ruby");
    const parts = [["rp", "("], ["rt", one[kind]], ["rp", ")"]].map(([name, text]) => {
      const node = document.createElement(name);
      node.textContent = text;
      return node;
    });
    ruby.append(one.character, ...parts);
    return ruby;
  }
}

/** Show the first against the second candidate, and the lattice. */
export class WhyPanel {
  #summary = document.getElementById("why-summary");
  #table = document.getElementById("why-table");
  #lattice = document.getElementById("lattice");
  #title = document.getElementById("lattice-title");
  #asked = 0;

  async show(input, { options, key, tell }) {
    const number = ++this.#asked;
    if (!input) {
      this.#fill(tell("why_empty"));
      return;
    }
    let found;
    try {
      found = await ask("v1/explain", { body: { ...input, n_best: 2, options }, key });
    } catch {
      if (number === this.#asked) this.#fill(tell("why_failed"));
      return;
    }
    if (number !== this.#asked) return;
    const [first, second] = found.candidates;
    if (!first) this.#fill(tell("why_empty"));
    else if (!second) this.#fill(tell("alone", { first: first.text }), null, found, input, tell);
    else {
      const names = { first: share(first), second: share(second) };
      this.#fill(tell("against", names), featureTable(found, tell), found, input, tell);
    }
  }

  #fill(summary, table = null, found = null, input = null, tell = null) {
    this.#summary.textContent = summary;
    this.#table.replaceChildren(...(table ? [table] : []));
    const words = found?.lattice ?? [];
    this.#title.hidden = this.#lattice.hidden = words.length === 0;
    this.#lattice.replaceChildren(
      ...(words.length ? [latticeDrawing(words, input.pinyin, tell)] : []),
    );
  }
}

function share(candidate) {
  return `${candidate.text} (${(100 * candidate.probability).toFixed(1)} %)`;
}
