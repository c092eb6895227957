// Client of the yinzi service, for browsers and Node. No dependencies, no build step.

const AGAIN = new Set([429, 502, 503, 504]);

/** The service refused, failed, or could not be reached. */
export class ServiceError extends Error {
  constructor(status, error, detail) {
    super(detail);
    this.name = "ServiceError";
    this.status = status;
    this.error = error;
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class Client {
  constructor(address = "", options = {}) {
    this.address = address.replace(/\/+$/, "");
    this.key = options.key ?? null;
    this.timeoutMs = options.timeoutMs ?? 15_000;
    this.attempts = options.attempts ?? 4;
    this.firstWaitMs = options.firstWaitMs ?? 200;
    this.longestWaitMs = options.longestWaitMs ?? 10_000;
    this.fetch = options.fetch ?? ((...given) => globalThis.fetch(...given));
    this.WebSocket = options.WebSocket ?? globalThis.WebSocket;
  }

  async convert(pinyin, { leftContext = "", nBest = 5, includesWords = false, options = {} } = {}) {
    const answer = await this.request("POST", "/v1/convert", {
      pinyin,
      left_context: leftContext,
      n_best: nBest,
      includes_words: includesWords,
      options,
    });
    return answer.candidates;
  }

  async convertBatch(inputs, { nBest = 1, options = {} } = {}) {
    const asked = inputs.map((one) => (typeof one === "string" ? { pinyin: one } : one));
    const answer = await this.request("POST", "/v1/convert/batch", {
      inputs: asked.map((one) => ({ pinyin: one.pinyin, left_context: one.leftContext ?? "" })),
      n_best: nBest,
      options,
    });
    return answer.results.map((one) => one.candidates);
  }

  async annotate(text) {
    return (await this.request("POST", "/v1/annotate", { text })).characters;
  }

  correct(text, { nBest = 1 } = {}) {
    return this.request("POST", "/v1/correct", { text, n_best: nBest });
  }

  explain(pinyin, { leftContext = "", nBest = 2, options = {} } = {}) {
    const body = { pinyin, left_context: leftContext, n_best: nBest, options };
    return this.request("POST", "/v1/explain", body);
  }

  models() {
    return this.request("GET", "/v1/models");
  }

  /** Send a request, again where that makes sense: requests change nothing on the service. */
  async request(method, path, body) {
    for (let attempt = 1; ; attempt += 1) {
      let answer = null;
      let broken = null;
      try {
        answer = await this.#send(method, path, body);
        if (answer.ok) return await answer.json();
      } catch (error) {
        broken = error;
      }
      const pauseMs = this.#pauseMs(attempt, answer);
      if (pauseMs === null) {
        if (broken !== null) {
          throw new ServiceError(0, "connection", `the service cannot be reached: ${broken.message}`);
        }
        throw await readError(answer);
      }
      await sleep(pauseMs);
    }
  }

  /** Open a typing session. */
  async session({ leftContext = "", pageSize = 9, options = {} } = {}) {
    if (!this.WebSocket) {
      throw new ServiceError(0, "websocket", "there is no WebSocket here: give one as an option");
    }
    const base = this.address || globalThis.location?.origin;
    const address = `${base.replace(/^http/, "ws")}/v1/session`;
    const protocols = ["yinzi.v1"];
    if (this.key !== null) protocols.push(`yinzi.key.${this.key}`);
    const session = new Session(new this.WebSocket(address, protocols), this.timeoutMs);
    await session.opened;
    await session.send({ type: "start", left_context: leftContext, page_size: pageSize, options });
    return session;
  }

  #send(method, path, body) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.key !== null) headers.Authorization = `Bearer ${this.key}`;
    return this.fetch(`${this.address}${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(this.timeoutMs),
    });
  }

  #pauseMs(attempt, answer) {
    if (attempt >= this.attempts) return null;
    if (answer !== null && !AGAIN.has(answer.status)) return null;
    const wait = Math.min(this.longestWaitMs, this.firstWaitMs * 2 ** (attempt - 1));
    const pauseMs = wait * (0.5 + 0.5 * Math.random());
    const asked = Number(answer?.headers.get("Retry-After") ?? 0) * 1000;
    if (asked > this.longestWaitMs) return null;
    return Math.max(pauseMs, asked || 0);
  }
}

/** An open typing session: keys in, states out. */
export class Session {
  #socket;
  #timeoutMs;
  #waiting = new Map();
  #next = 0;
  #ended = null;

  constructor(socket, timeoutMs) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    this.opened = new Promise((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("close", (event) => {
        this.#end(new ServiceError(0, "closed", `the session was closed (${event.code})`));
        reject(this.#ended);
      });
      socket.addEventListener("error", () => {
        this.#end(new ServiceError(0, "connection", "the session broke"));
        reject(this.#ended);
      });
    });
    this.opened.catch(() => {});
    socket.addEventListener("message", (event) => this.#receive(JSON.parse(event.data)));
  }

  /** Press keys, by their names in KeyboardEvent.key. */
  press(...keys) {
    return this.send({ type: "key", keys });
  }

  select(index) {
    return this.send({ type: "select", index });
  }

  reset(leftContext = "") {
    return this.send({ type: "reset", left_context: leftContext });
  }

  /** Send a message; messages are answered in their order. */
  send(message) {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new ServiceError(0, "timeout", "the session did not answer in time"));
      }, this.#timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...message, id }));
    });
  }

  close() {
    this.#socket.close(1000);
  }

  #receive(message) {
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.type === "state") waiting.resolve(message);
    else waiting.reject(new ServiceError(0, message.error, message.detail));
  }

  #end(error) {
    this.#ended ??= error;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#waiting.clear();
  }
}

async function readError(answer) {
  try {
    const body = await answer.json();
    if (typeof body.error === "string") {
      return new ServiceError(answer.status, body.error, String(body.detail));
    }
  } catch {
    // Not JSON: some other server stands in between.
  }
  return new ServiceError(answer.status, "unknown", "the service answered what is no answer of yinzi");
}
