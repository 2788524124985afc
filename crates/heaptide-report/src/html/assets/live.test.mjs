import test from "node:test";
import assert from "node:assert/strict";
import { load } from "./load.mjs";

const { eventsIn } = load(["live.js"], ["eventsIn"]);
const plain = (value) => JSON.parse(JSON.stringify(value));

test("events are taken when they are whole", () => {
  assert.deepEqual(plain(eventsIn("event: recordings\ndata: {\"a\":1}\n\n: keep\n\nevent: rec")), {
    events: [{ name: "recordings", data: "{\"a\":1}" }], rest: "event: rec" });
  assert.deepEqual(plain(eventsIn("data:x\ndata: y\n\n")), { events: [{ name: "message", data: "x\ny" }], rest: "" });
  assert.deepEqual(plain(eventsIn("")), { events: [], rest: "" });
});

// A page that is answered when the test says so, and remembers what it showed.
function page(recordings) {
  const answers = new Map();
  const shown = [];
  const globals = {
    encodeURIComponent, scrollY: 0, scrollTo: () => {},
    document: { getElementById: () => null },
    fetch: (path) => new Promise((resolve) => answers.set(path, () => resolve({ ok: true, status: 200, json: async () => path }))),
    showReport: (_, report) => shown.push(report),
    replaceChildren: (_, ...children) => shown.push(...children),
    make: (tag, attributes, ...children) => children.flat(9).join(" "),
    formatBytes: (bytes) => `${bytes} B`,
  };
  const { live, showChosen } = load(["live.js"], ["live", "showChosen"], globals);
  live.recordings = recordings;
  const choose = (id) => { live.chosen = id; return showChosen(); };
  return { choose, answer: (id) => answers.get(`/api/recordings/${id}`)(), shown };
}

test("a report that arrives late does not take the place of the one chosen since", async () => {
  const { choose, answer, shown } = page([{ id: "a", outcome: "clean" }, { id: "b", outcome: "clean" }]);
  const [first, second] = [choose("a"), choose("b")];
  answer("b");
  await second;
  answer("a");
  await first;
  assert.deepEqual(shown, ["/api/recordings/b"]);
});

test("the report of another does not stand under one that is not judged yet", async () => {
  const { choose, answer, shown } = page([{ id: "a", outcome: "clean" }, { id: "b", outcome: null, program: "shop", pid: 7, n_bytes: 9, problem: null }]);
  const first = choose("a");
  answer("a");
  await first;
  await choose("b");
  assert.match(shown.at(-1), /^shop \(pid 7\) is not judged yet 9 B are being read/);
  await choose(null);
  assert.equal(shown.at(-1), null);
});
