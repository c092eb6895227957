// Put the page together: language, settings, typing and the panels.

import { ReadingPanel, WhyPanel, afterPause } from "./panels.js";
import { ask } from "./session.js";
import { STRINGS, languageFor, say } from "./strings.js";
import { Typist } from "./typing.js";

const STORE = "yinzi.settings";
const DEFAULTS = {
  language: languageFor(navigator.languages ?? [navigator.language]),
  theme: "auto",
  scheme: "pinyin",
  accent: "none",
  script: "simplified",
  punctuation: "chinese",
  reading: "pinyin",
};
const CHOICES = {
  scheme: ["pinyin", "xiaohe", "ziranma", "microsoft", "sogou", "abc", "jiajia", "ziguang"],
  accent: ["none", "southern", "sichuan", "cantonese", "minnan"],
  script: ["simplified", "traditional", "taiwan", "hongkong"],
  punctuation: ["chinese", "as-is"],
};
const OPTION_OF = { accent: "fuzzy" };
const READINGS = ["pinyin", "zhuyin"];
const THEMES = ["auto", "light", "dark"];
const KEY_ROWS = [
  [..."qwertyuiop"],
  [..."asdfghjkl"],
  ["'", ..."zxcvbnm", "Backspace"],
  [",", " ", ".", "Enter"],
];
const KEY_SIGNS = { Backspace: "⌫", Enter: "⏎", " ": "␣" };

const at = (id) => document.getElementById(id);
const settings = { ...DEFAULTS, ...load() };
const text = at("text");
const times = [];
const written = [];
const reading = new ReadingPanel(at("reading"));
const why = new WhyPanel();
const typist = new Typist(text, { state: showState, status: showStatus, refused: showRefused, timed });

const tell = (key, values) => say(settings.language, key, values);

function load() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "{}");
  } catch {
    return {};
  }
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(settings));
  } catch {
    // Without storage the settings last as long as the page.
  }
}

/** Return the settings as the service takes them. */
function options() {
  return {
    scheme: settings.scheme,
    fuzzy: settings.accent === "none" ? [] : [settings.accent],
    script: settings.script,
    punctuation: settings.punctuation,
  };
}

// Language and colours.

function showLanguage() {
  const { language } = settings;
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const node of document.querySelectorAll("[data-i18n]")) {
    node.textContent = tell(node.dataset.i18n);
  }
  for (const node of document.querySelectorAll("[data-i18n-label]")) {
    node.setAttribute("aria-label", tell(node.dataset.i18nLabel));
  }
  for (const node of document.querySelectorAll("[data-i18n-placeholder]")) {
    node.placeholder = tell(node.dataset.i18nPlaceholder);
  }
  const other = language === "zh" ? "en" : "zh";
  at("language").textContent = other === "en" ? "English" : "中文";
  at("language").lang = other === "en" ? "en" : "zh-Hans";
  for (const node of document.querySelectorAll("option")) node.textContent = tell(node.dataset.name);
  showTheme();
  showStatus(typist.status);
  showState(typist.state);
  showLatency();
  updateReading();
  updateWhy();
}

function showTheme() {
  if (settings.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = settings.theme;
  at("theme").textContent = tell(`theme_${settings.theme}`);
}

// What the session says.

function showState(state) {
  showPreedit(state);
  at("candidates").replaceChildren(
    ...state.candidates.map((one, index) => candidate(one, index, state)),
  );
  at("candidates").setAttribute("aria-label", tell(state.is_suggesting ? "next_words" : "candidates"));
  const isMarked = state.candidates.length > 0 && !state.is_suggesting;
  if (isMarked) text.setAttribute("aria-activedescendant", `candidate-${state.highlighted}`);
  else text.removeAttribute("aria-activedescendant");
  at("previous").disabled = state.is_suggesting || state.page === 0;
  at("next").disabled = state.is_suggesting || state.page + 1 >= state.n_pages;
  at("page").textContent = state.n_pages > 1 ? `${state.page + 1}/${state.n_pages}` : "";
  at("mode").textContent = tell(`mode_${state.mode}`);
  const lang = settings.script === "simplified" ? "zh-Hans" : "zh-Hant";
  for (const id of ["candidates", "reading", "text"]) at(id).lang = lang;
  if (state.commit) written.push(state.commit);
  announce();
  updateWhy();
}

function showPreedit(state) {
  const letters = [...state.preedit];
  const chosen = document.createElement("span");
  chosen.className = "chosen";
  chosen.textContent = letters.slice(0, state.n_selected).join("");
  const caret = document.createElement("span");
  caret.className = "caret";
  const parts = state.preedit
    ? [
        chosen,
        letters.slice(state.n_selected, state.cursor).join(""),
        caret,
        letters.slice(state.cursor).join(""),
      ]
    : [state.is_suggesting && state.candidates.length ? tell("next_words") : ""];
  at("preedit").replaceChildren(...parts);
}

function candidate(one, index, state) {
  const item = document.createElement("li");
  item.id = `candidate-${index}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", String(!state.is_suggesting && index === state.highlighted));
  const number = document.createElement("span");
  number.className = "number";
  number.textContent = String(index + 1);
  item.append(number, one.text);
  return item;
}

/** Say what was written since the last time, and what can be chosen. */
const announce = afterPause(() => {
  const { candidates } = typist.state;
  const offered = candidates.slice(0, 3).map((one, index) => `${index + 1} ${one.text}`);
  at("announcer").textContent = [...written.splice(0), ...offered].join(", ");
}, 500);

function showStatus(status) {
  const connection = at("connection");
  connection.dataset.state = status;
  connection.dataset.i18n = status;
  connection.textContent = tell(status);
  if (status === "connected") at("notice").hidden = true;
  if (status === "lost" && at("key-form").hidden) showNotice(tell("lost"));
}

function showNotice(message) {
  at("notice-text").textContent = message;
  at("notice").hidden = false;
}

function showRefused(error) {
  showNotice(tell("notice_failed", { detail: error.message }));
}

function timed(ms) {
  times.push(ms);
  if (times.length > 50) times.shift();
  showLatency();
}

function showLatency() {
  if (!times.length) return;
  const median = [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
  const values = { last: times.at(-1).toFixed(1), median: median.toFixed(1) };
  at("latency").textContent = tell("latency", values);
}

// The panels.

const updateReading = afterPause(() => {
  reading.show(text.value, { script: settings.script, kind: settings.reading, key: typist.key, tell });
});

const updateWhy = afterPause(() => {
  if (at("why-panel").hidden) return;
  const asked = { ...options() };
  if (asked.scheme === "pinyin") asked.corrects_typing = asked.reads_english = true;
  why.show(typist.asked, { options: asked, key: typist.key, tell });
});

// Settings.

function fillSelect(name, values) {
  const select = at(name === "reading" ? "reading-kind" : name);
  if (!values.includes(settings[name])) settings[name] = values[0];
  select.replaceChildren(
    ...values.map((value) => {
      const option = document.createElement("option");
      option.value = value;
      option.dataset.name = `${name}_${value}`;
      option.textContent = tell(option.dataset.name);
      option.selected = value === settings[name];
      return option;
    }),
  );
  select.onchange = () => {
    settings[name] = select.value;
    save();
    typist.change(options());
    updateReading();
  };
}

/** Offer only what this service has. */
async function fillSettings() {
  const before = JSON.stringify(options());
  try {
    const { options: offered } = await ask("v1/models", { key: typist.key });
    for (const name of Object.keys(CHOICES)) {
      const known = offered[OPTION_OF[name] ?? name] ?? [];
      fillSelect(name, CHOICES[name].filter((value) => known.includes(value)));
    }
    at("key-form").hidden = true;
  } catch (error) {
    if (error.status === 401) askForKey();
  }
  typist.options = options();
  if (JSON.stringify(typist.options) !== before) typist.connect();
}

function askForKey() {
  at("key-form").hidden = false;
  at("notice").hidden = true;
}

// Buttons.

function onClick(id, run) {
  at(id).addEventListener("click", run);
}

/** Keep the focus, and with it the cursor, in the text. */
function keepFocus(node) {
  node.addEventListener("pointerdown", (event) => event.preventDefault());
}

function buildKeyboard() {
  const keyboard = at("keyboard");
  keyboard.replaceChildren(
    ...KEY_ROWS.map((row) => {
      const line = document.createElement("div");
      line.append(
        ...row.map((key) => {
          const button = document.createElement("button");
          button.type = "button";
          button.dataset.key = key;
          button.textContent = KEY_SIGNS[key] ?? key;
          if (KEY_SIGNS[key]) button.dataset.i18nLabel = `key_${key === " " ? "space" : key.toLowerCase()}`;
          button.className = key === " " ? "space" : key.length > 1 ? "wide" : "";
          return button;
        }),
      );
      return line;
    }),
  );
  keyboard.addEventListener("click", (event) => {
    const { key } = event.target.closest("button")?.dataset ?? {};
    if (key) typist.press(key);
  });
}

function showKeyboard(isShown) {
  at("keyboard").hidden = !isShown;
  at("keyboard-switch").setAttribute("aria-expanded", String(isShown));
  if (isShown) text.inputMode = "none";
  else text.removeAttribute("inputmode");
}

async function copy() {
  try {
    await navigator.clipboard.writeText(text.value);
    at("announcer").textContent = tell("copied");
    at("copy").textContent = tell("copied");
    setTimeout(() => (at("copy").textContent = tell("copy")), 1500);
  } catch {
    showNotice(tell("copy_failed"));
    text.select();
  }
}

function connectButtons() {
  onClick("language", () => {
    settings.language = settings.language === "zh" ? "en" : "zh";
    save();
    showLanguage();
  });
  onClick("theme", () => {
    settings.theme = THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length];
    save();
    showTheme();
  });
  onClick("mode", () => {
    typist.press("Shift");
    text.focus();
  });
  onClick("clear", () => {
    text.value = "";
    typist.drop();
    updateReading();
    at("announcer").textContent = tell("cleared");
    text.focus();
  });
  onClick("copy", copy);
  onClick("previous", () => typist.press("PageUp"));
  onClick("next", () => typist.press("PageDown"));
  onClick("candidates", (event) => {
    const item = event.target.closest("li");
    if (item) typist.select(Number(item.id.replace("candidate-", "")));
  });
  onClick("keyboard-switch", () => showKeyboard(at("keyboard").hidden));
  onClick("why", () => {
    const isOpen = at("why-panel").hidden;
    at("why-panel").hidden = !isOpen;
    at("why").setAttribute("aria-expanded", String(isOpen));
    updateWhy();
  });
  onClick("retry", () => {
    at("notice").hidden = true;
    if (typist.status !== "connected") typist.connect();
    text.focus();
  });
  for (const id of ["candidates", "previous", "next", "keyboard"]) keepFocus(at(id));
  at("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    typist.key = at("key").value.trim();
    await fillSettings();
    typist.connect();
  });
  text.addEventListener("input", updateReading);
}

if (!(settings.language in STRINGS)) settings.language = DEFAULTS.language;
buildKeyboard();
connectButtons();
showKeyboard(matchMedia("(pointer: coarse)").matches);
fillSelect("reading", READINGS);
for (const name of Object.keys(CHOICES)) fillSelect(name, CHOICES[name]);
typist.options = options();
showLanguage();
text.focus({ preventScroll: true });
typist.connect();
fillSettings();
