// Run by test_javascript_client.py with the address of a service: node client_checks.mjs ADDRESS
import assert from "node:assert/strict";
import { Client, ServiceError, Session } from "../../clients/javascript/yinzi.js";

const address = process.argv[2];
const client = new Client(address, { timeoutMs: 60_000 });

assert.equal((await client.convert("nihao", { nBest: 2 }))[0].text, "你好");
const batch = await client.convertBatch(["xian", { pinyin: "nihao", leftContext: "我" }]);
assert.equal(batch.length, 2);
assert.equal(batch[1][0].text, "你好");
assert.equal((await client.annotate("你"))[0].pinyin, "nǐ");
assert.equal((await client.correct("你好")).text, "你好");
assert.equal((await client.explain("nihao")).candidates[0].text, "你好");
assert.equal((await client.models()).name, "tiny");
await assert.rejects(client.convert(5), (error) => {
  assert(error instanceof ServiceError);
  assert.equal(error.status, 422);
  return true;
});

// Retries, against a fetch that fails first.
let sent = 0;
const answers = (...list) => async () => {
  const answer = list[Math.min(sent, list.length - 1)];
  sent += 1;
  if (answer instanceof Error) throw answer;
  return new Response(JSON.stringify(answer.body), { status: answer.status, headers: answer.headers });
};
const good = { status: 200, body: { candidates: [{ text: "你好" }] } };
const busy = { status: 429, body: { error: "busy", detail: "" }, headers: { "Retry-After": "0" } };
const far = { ...busy, headers: { "Retry-After": "60" } };
for (const [first, expected] of [[busy, 2], [new TypeError("broken"), 2], [good, 1]]) {
  sent = 0;
  const flaky = new Client("http://x", { fetch: answers(first, good), firstWaitMs: 1 });
  assert.equal((await flaky.convert("nihao"))[0].text, "你好");
  assert.equal(sent, expected);
}
for (const [answer, expected, word] of [[busy, 3, "busy"], [far, 1, "busy"], [new TypeError("x"), 3, "connection"]]) {
  sent = 0;
  const broken = new Client("http://x", { fetch: answers(answer), firstWaitMs: 1, attempts: 3 });
  await assert.rejects(broken.convert("nihao"), (error) => error.error === word);
  assert.equal(sent, expected);
}

// A session over a WebSocket that answers by itself, so that old versions of Node can run it.
class EchoSocket extends EventTarget {
  constructor(address_, protocols) {
    super();
    EchoSocket.opened = [address_, protocols];
    queueMicrotask(() => this.dispatchEvent(new Event("open")));
  }
  send(text) {
    const { id, type, keys } = JSON.parse(text);
    const data = keys?.includes("x")
      ? { type: "error", error: "invalid", detail: "", id }
      : { type: "state", id, preedit: (keys ?? []).join(""), asked: type };
    queueMicrotask(() => this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(data) })));
  }
  close(code) {
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}
const typing = await new Client("https://x", { key: "yz_a_b", WebSocket: EchoSocket }).session();
assert(typing instanceof Session);
assert.deepEqual(EchoSocket.opened, ["wss://x/v1/session", ["yinzi.v1", "yinzi.key.yz_a_b"]]);
const [first, second] = await Promise.all([typing.press("n"), typing.press("i")]);
assert.deepEqual([first.preedit, second.preedit], ["n", "i"]);
await assert.rejects(typing.press("x"), (error) => error.error === "invalid");
typing.close();
await assert.rejects(typing.press("n"), (error) => error.error === "closed");

if (globalThis.WebSocket) {
  const session = await client.session();
  assert.equal((await session.press(..."nihao")).candidates[0].text, "你好");
  assert.equal((await session.press(" ")).commit, "你好");
  session.close();
}
console.log("all checks passed");
