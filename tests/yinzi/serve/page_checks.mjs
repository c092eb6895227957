// Checks of what the page computes without a browser: node page_checks.mjs FOLDER-AS-ADDRESS
import assert from "node:assert/strict";

const folder = process.argv[2];
// Node takes the extension .js for a module only beside a package.json: read them as data.
const load = async (name) => {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(new URL(`${folder}/${name}`), "utf-8");
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
};

const { STRINGS, languageFor, say } = await load("strings.js");
assert.deepEqual(Object.keys(STRINGS.en), Object.keys(STRINGS.zh));
assert.equal(languageFor(["fr-FR", "zh-TW", "en"]), "zh");
assert.equal(languageFor(["en-GB", "zh"]), "en");
assert.equal(languageFor(["fr"]), "en");
assert.equal(say("en", "alone", { first: "{second}" }), "{second} is the only text that was found.");
for (const [key, text] of Object.entries(STRINGS.en)) {
  const places = (one) => [...one.matchAll(/\{\w+\}/g)].map(String).sort();
  assert.deepEqual(places(text), places(STRINGS.zh[key]), key);
}

const { contributions, lanes } = await load("explanation.js");
const rows = contributions(
  { model: 2, words: -1, nothing: 1 },
  { features: { model: -1, words: 3, nothing: 0 } },
  { features: { model: -4, words: 2, nothing: 0 } },
);
assert.deepEqual(rows.map((row) => [row.name, row.difference]), [["model", 6], ["words", -1]]);

const word = (start, end, logprob, is_best) => ({ start, end, logprob, is_best });
const words = [word(0, 2, -5, true), word(2, 4, -5, true), word(0, 4, -1, false), word(0, 2, -2, false)];
assert.deepEqual(lanes(words), [0, 0, 1, 2]);
