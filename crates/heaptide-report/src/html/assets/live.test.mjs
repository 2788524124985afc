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
