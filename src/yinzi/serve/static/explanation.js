// Draw why the first candidate stands before the second, and what both were chosen from.

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Return what each feature adds to the scores of two candidates, the largest difference first. */
export function contributions(weights, first, second) {
  return Object.keys(first.features)
    .map((name) => {
      const one = weights[name] * first.features[name];
      const other = weights[name] * second.features[name];
      return { name, first: one, second: other, difference: one - other };
    })
    .filter((row) => Math.abs(row.first) >= 0.005 || Math.abs(row.second) >= 0.005)
    .sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference));
}

/** Return the lane of each word, so that none covers another; those of the best text are first. */
export function lanes(words) {
  const order = words
    .map((_, index) => index)
    .sort((a, b) => words[b].is_best - words[a].is_best || words[b].logprob - words[a].logprob);
  const taken = [];
  const found = new Array(words.length);
  for (const index of order) {
    const { start, end } = words[index];
    let lane = words[index].is_best ? 0 : 1;
    while ((taken[lane] ?? []).some((one) => one.start < end && start < one.end)) lane += 1;
    (taken[lane] ??= []).push({ start, end });
    found[index] = lane;
  }
  return found;
}

function bar(difference, most) {
  const length = (96 * Math.abs(difference)) / most;
  return svg(
    "svg",
    { viewBox: "0 0 200 20", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", {
      class: difference < 0 ? "bar-second" : "bar-first",
      x: difference < 0 ? 100 - length : 100,
      y: 4,
      width: length,
      height: 12,
    }),
    svg("line", { class: "axis", x1: 100, x2: 100, y1: 0, y2: 20 }),
  );
}

/** Return a table of features; bars to the right speak for the first candidate. */
export function featureTable(explanation, tell) {
  const [first, second] = explanation.candidates;
  const rows = contributions(explanation.weights, first, second);
  const most = Math.max(...rows.map((row) => Math.abs(row.difference)), 1e-9);
  const number = (value) => value.toFixed(2);
  const head = [tell("feature"), tell("first"), tell("second")];
  return element(
    "table",
    {},
    element("caption", { class: "unseen" }, tell("against", { first: first.text, second: second.text })),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        ...head.map((text, index) => element("th", index ? { scope: "col", class: "value" } : { scope: "col" }, text)),
        element("th", { scope: "col", class: "bars" }, tell("bars")),
      ),
    ),
    element(
      "tbody",
      {},
      ...rows.map((row) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, tell(`feature_${row.name}`)),
          element("td", { class: "value" }, number(row.first)),
          element("td", { class: "value" }, number(row.second)),
          element("td", { class: "bars" }, bar(row.difference, most)),
        ),
      ),
    ),
  );
}

/** Return the words of the lattice as a drawing over the letters. */
export function latticeDrawing(words, letters, tell) {
  const longest = Math.max(...words.map((word) => [...word.text].length / (word.end - word.start)));
  const step = Math.max(30, Math.ceil(19 * longest) + 4);
  const height = 34;
  const lane = lanes(words);
  const n_lanes = Math.max(...lane) + 1;
  const width = letters.length * step;
  const drawing = svg("svg", {
    width: width + 2,
    height: n_lanes * height + 28,
    role: "img",
    "aria-label": tell("best_path", {
      words: words.filter((word) => word.is_best).map((word) => word.text).join(" "),
    }),
  });
  for (let place = 0; place < letters.length; place += 1) {
    drawing.append(
      svg("text", { class: "letter", x: (place + 0.5) * step, y: 16 }, letters[place]),
    );
  }
  words.forEach((word, index) => {
    const top = 24 + lane[index] * height;
    const box = { x: word.start * step + 2, y: top, width: (word.end - word.start) * step - 4, height: height - 5, rx: 8 };
    drawing.append(
      svg(
        "g",
        { class: word.is_best ? "best" : "other" },
        svg("title", {}, `${word.text} ${word.logprob.toFixed(2)}`),
        svg("rect", box),
        svg("text", { x: ((word.start + word.end) / 2) * step, y: top + 21 }, word.text),
      ),
    );
  });
  return drawing;
}
