// The connection to the service: one WebSocket for typing, plain requests for the rest.

const AGAIN = new Set(["busy", "rate_limited", "starting", "stopping"]);
const TIMEOUT_MS = 15_000;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const headersFor = (key) => (key ? { Authorization: `Bearer ${key}` } : {});

/** Ask one of the paths; a body makes it a POST. */
export async function ask(path, { body, key } = {}) {
  const answer = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: { ...headersFor(key), ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const read = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, read.detail ?? answer.statusText);
  return read;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Messages go out one after the other; each has one answer, found by its id. */
export class Connection {
  #socket;
  #waiting = new Map();
  #next = 1;

  constructor({ key, onClose }) {
    const address = `${location.origin.replace(/^http/, "ws")}/v1/session`;
    this.#socket = new WebSocket(address, ["yinzi.v1", ...(key ? [`yinzi.key.${key}`] : [])]);
    this.opened = new Promise((resolve, reject) => {
      this.#socket.addEventListener("open", resolve);
      this.#socket.addEventListener("close", (event) => {
        const error = new Refused(0, `closed (${event.code})`);
        for (const { fail } of this.#waiting.values()) fail(error);
        this.#waiting.clear();
        reject(error);
        onClose(event.code);
      });
    });
    this.opened.catch(() => {});
    this.#socket.addEventListener("message", (event) => {
      const answer = JSON.parse(event.data);
      this.#waiting.get(answer.id)?.answer(answer);
      this.#waiting.delete(answer.id);
    });
  }

  get isOpen() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  close() {
    this.#socket.close();
  }

  /** Send a message and return the state that answers it; again if the service is busy. */
  async request(message) {
    for (;;) {
      const answer = await this.#send(message);
      if (answer.type === "state") return answer;
      if (!AGAIN.has(answer.error) && answer.retry_after === undefined) {
        throw new Refused(422, answer.detail);
      }
      await pause(1000 * (answer.retry_after ?? 1));
    }
  }

  #send(message) {
    if (!this.isOpen) return Promise.reject(new Refused(0, "closed"));
    const id = this.#next++;
    return new Promise((answer, fail) => {
      const timer = setTimeout(() => this.close(), TIMEOUT_MS);
      const done = (finish) => (value) => {
        clearTimeout(timer);
        finish(value);
      };
      this.#waiting.set(id, { answer: done(answer), fail: done(fail) });
      this.#socket.send(JSON.stringify({ ...message, id }));
    });
  }
}
