// Stands between the text area and the session: keys go out in order, states come back.
//
// A key has to be taken from the browser at once, before the service has said whether it wants it.
// So keys that it may want are taken, and those that it hands back are carried out here.

import { Connection } from "./session.js";

const NOTHING = {
  preedit: "",
  cursor: 0,
  candidates: [],
  page: 0,
  n_pages: 0,
  highlighted: 0,
  letters: "",
  n_selected: 0,
  is_suggesting: false,
  mode: "chinese",
};
const EDITING = new Set([
  ...["Enter", "Escape", "Backspace", "Delete", "Home", "End", "PageUp", "PageDown"],
  ...["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"],
]);
const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
const CONTEXT_CHARACTERS = 64;
const MOST_KEYS = 64;
const PAGE_SIZE = 5;
const N_SUGGESTIONS = 5;

export class Typist {
  #text;
  #listeners;
  #connection = null;
  #queue = [];
  #isBusy = false;
  #isStarted = false;
  #isWriting = false;
  #context = null;
  #attempts = 0;
  #timer = 0;
  #lastKeyDown = "";
  #pressedAt = 0;

  /**
   * @param {HTMLTextAreaElement} text where committed text goes
   * @param listeners `state(state)`, `status(name)`, `refused(error)`, `timed(ms)`
   */
  constructor(text, listeners) {
    this.#text = text;
    this.#listeners = listeners;
    this.state = NOTHING;
    this.status = "connecting";
    this.asked = null; // the last input, for an explanation
    this.options = {};
    this.key = "";
    text.addEventListener("keydown", (event) => this.#onKeyDown(event));
    text.addEventListener("keyup", (event) => this.#onKeyUp(event));
    text.addEventListener("beforeinput", (event) => this.#onBeforeInput(event));
    text.addEventListener("compositionend", (event) => this.#onCompositionEnd(event));
    document.addEventListener("selectionchange", () => this.#onSelectionChange());
  }

  get isComposing() {
    return this.state.preedit !== "";
  }

  /** Press a key by its name. */
  press(...keys) {
    this.#pressedAt = performance.now();
    const last = this.#queue.at(-1);
    const isLetter = (key) => /^[a-z']$/.test(key);
    for (const key of keys) {
      // Letters are never handed back, so that they can travel together.
      if (last?.keys && isLetter(key) && last.keys.every(isLetter)) last.keys.push(key);
      else this.#queue.push({ keys: [key] });
    }
    this.#pump();
  }

  /** Choose a candidate of the page that is shown. */
  select(index) {
    this.#pressedAt = performance.now();
    this.#queue.push({ index });
    this.#pump();
  }

  /** Type in another way from here on; letters that are there are read anew. */
  change(options) {
    this.options = options;
    if (!this.#isStarted) return;
    this.#queue.push({ isStart: true });
    this.#pump();
  }

  /** Throw away what is typed, as when the text is cleared. */
  drop() {
    this.#queue.push({ isReset: true });
    this.#pump();
  }

  /** Connect, or connect anew at once. */
  async connect() {
    clearTimeout(this.#timer);
    const before = this.#connection;
    this.#connection = null;
    before?.close();
    this.#isStarted = false;
    const connection = new Connection({
      key: this.key,
      onClose: () => this.#onClose(connection),
    });
    this.#connection = connection;
    try {
      await connection.opened;
      await this.#start();
    } catch (error) {
      if (connection.isOpen) this.#listeners.refused(error);
      return;
    }
    this.#isStarted = true;
    this.#attempts = 0;
    this.#setStatus("connected");
    this.#pump();
  }

  #onClose(connection) {
    if (connection !== this.#connection) return;
    const wasStarted = this.#isStarted;
    this.#isStarted = false;
    this.#rescue();
    // One quick attempt is made before anyone is alarmed.
    if (!wasStarted || this.#attempts) this.#setStatus("lost");
    const wait = wasStarted ? 100 : WAITS_MS[Math.min(this.#attempts, WAITS_MS.length - 1)];
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  /** Keep what was typed: chosen words go into the text, letters are typed again later. */
  #rescue() {
    const { preedit, n_selected, letters } = this.state;
    if (n_selected) this.#write([...preedit].slice(0, n_selected).join(""));
    if (letters) this.#queue.unshift({ keys: [...letters] });
    this.#takeState({ ...NOTHING, mode: this.state.mode });
  }

  #setStatus(status) {
    this.status = status;
    this.#listeners.status(status);
  }

  async #start() {
    const left_context = this.#before();
    const state = await this.#connection.request({
      type: "start",
      left_context,
      page_size: PAGE_SIZE,
      n_suggestions: N_SUGGESTIONS,
      options: this.options,
    });
    this.#context = left_context;
    this.#takeState(state);
  }

  async #pump() {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      while (this.#queue.length && this.#isStarted && this.#connection.isOpen) {
        const item = this.#queue.shift();
        if (item.keys?.length > MOST_KEYS) {
          this.#queue.unshift({ keys: item.keys.splice(MOST_KEYS) });
        }
        try {
          await this.#answer(item);
        } catch (error) {
          if (!this.#connection?.isOpen) {
            this.#queue.unshift(item);
            break;
          }
          this.#listeners.refused(error);
        }
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #answer(item) {
    if (item.isStart) {
      const { letters, n_selected } = this.state;
      if (n_selected === 0 && letters) this.#queue.unshift({ keys: [...letters] });
      await this.#start();
      return;
    }
    if (item.isReset) {
      await this.#reset(this.#before());
      return;
    }
    if (!this.isComposing && this.#context !== this.#before()) await this.#reset(this.#before());
    const started = this.#pressedAt;
    const state = await this.#connection.request(
      item.keys ? { type: "key", keys: item.keys } : { type: "select", index: item.index },
    );
    if (state.commit) {
      this.#write(state.commit);
      this.#context = this.#before();
    }
    if (!state.is_handled && item.keys) this.#carryOut(item.keys.at(-1));
    this.#takeState(state);
    this.#listeners.timed(performance.now() - started);
  }

  async #reset(left_context) {
    const state = await this.#connection.request({ type: "reset", left_context });
    this.#context = left_context;
    this.#takeState(state);
  }

  #takeState(state) {
    this.state = state;
    if (state.letters) {
      const chosen = [...state.preedit].slice(0, state.n_selected).join("");
      this.asked = { pinyin: state.letters, left_context: this.#before() + chosen };
    }
    this.#listeners.state(state);
  }

  // Keys.

  /** Tell whether a key may be for the session. */
  #wants(key) {
    if (this.status === "lost") return false;
    if (this.isComposing || this.#isBusy || this.#queue.length) {
      return key.length === 1 || EDITING.has(key);
    }
    if (this.state.mode === "english") return false;
    if (this.state.is_suggesting && (/^[1-9]$/.test(key) || key === "Escape")) return true;
    if (/^[A-Za-z]$/.test(key)) return true;
    return this.options.punctuation === "chinese" && /^[!-/:-@[-`{-~]$/.test(key);
  }

  #onKeyDown(event) {
    this.#lastKeyDown = event.key;
    if (event.isComposing || event.keyCode === 229 || event.altKey || event.metaKey) return;
    const isMove = /^(ArrowLeft|ArrowRight|Delete)$/.test(event.key);
    if (event.ctrlKey && !(isMove && this.isComposing)) return;
    if (!this.#wants(event.key)) return;
    event.preventDefault();
    this.press(event.ctrlKey ? `ctrl+${event.key}` : event.key);
  }

  #onKeyUp(event) {
    // Shift, pressed and released with nothing between.
    if (event.key === "Shift" && this.#lastKeyDown === "Shift" && this.status === "connected") {
      this.press("Shift");
    }
    this.#lastKeyDown = "";
  }

  /** Keyboards on a screen send no keys with names, but what they are about to write. */
  #onBeforeInput(event) {
    if (this.#isWriting || event.isComposing) return;
    const names = { deleteContentBackward: "Backspace", insertLineBreak: "Enter" };
    const key = event.inputType === "insertText" ? event.data : names[event.inputType];
    if (!key || (key.length > 1 && !EDITING.has(key)) || !this.#wants(key)) return;
    event.preventDefault();
    this.press(key);
  }

  /** Letters that such a keyboard has put together are taken back and typed. */
  #onCompositionEnd(event) {
    if (this.status !== "connected" || !/^[a-z']+$/i.test(event.data ?? "")) return;
    const end = this.#text.selectionStart;
    this.#text.setRangeText("", end - event.data.length, end, "end");
    this.press(...event.data);
  }

  /** Next words are for one place in the text. */
  #onSelectionChange() {
    if (!this.state.is_suggesting || this.#isBusy || this.#queue.length) return;
    if (this.#context !== this.#before()) this.drop();
  }

  // The text.

  #before() {
    const before = this.#text.value.slice(0, this.#text.selectionStart);
    return [...before].slice(-CONTEXT_CHARACTERS).join("");
  }

  /** Write at the cursor, so that the browser can undo it where it knows how. */
  #write(text) {
    this.#edit("insertText", text);
  }

  #edit(command, text = "") {
    this.#isWriting = true;
    const isActive = document.activeElement === this.#text;
    if (!isActive || !document.execCommand(command, false, text)) {
      let { selectionStart: start, selectionEnd: end } = this.#text;
      if (command === "delete" && start === end) start = Math.max(0, start - 1);
      if (command === "forwardDelete" && start === end) end += 1;
      this.#text.setRangeText(text, start, end, "end");
      this.#text.dispatchEvent(new Event("input"));
    }
    this.#isWriting = false;
  }

  /** Do what the browser would have done with a key that the session does not want. */
  #carryOut(key) {
    this.#context = null;
    if (key.length === 1) this.#write(key);
    else if (key === "Enter") this.#write("\n");
    else if (key === "Backspace") this.#edit("delete");
    else if (key === "Delete") this.#edit("forwardDelete");
  }
}
