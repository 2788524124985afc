import test from "node:test";
import assert from "node:assert/strict";
import { load } from "./load.mjs";

const model = load(["format.js", "model.js"], [
  "decodeRun", "defaultSpan", "spanInRange", "siteAt", "MEASURES", "callTree", "layOut", "matchedWidth", "matcher",
  "chosenSites", "frameLink", "shownFrames"]);
const plain = (value) => JSON.parse(JSON.stringify(value));

// Four moments; a leak of 100 bytes a moment under `login`, a cache under `lookup`, both in `main`.
function run() {
  return model.decodeRun({
    names: ["alloc::vec::push", "shop::login", "tokio::poll", "shop::main", "lru::Cache::put", "shop::lookup"],
    files: [["src/main.rs", "https://forge.example/me/shop/blob/0123abcd/src/main.rs"], ["vec.rs", null]],
    frames: [[0, 1, 9, 2], [1, 0, 7, 0], [2, -1, 0, 1], [3, 0, 1, 0], [4, -1, 0, 1], [5, 0, 8, 0]],
    line_anchor: "#L", columns: { seq: [0, 1, 2, 3], t: [1, 2, 3, 4], judged: 4, warm_up: 1, mature: 3 },
    classes: { leak: 1, turnover: 1 }, others: { objects: [0, 0, 0, 0], bytes: [0, 0, 0, 0] }, n_other_sites: 0,
    sites: [
      { id: "a1", name: "shop::login", class: "leak", place: "src/main.rs:7", tag: null, is_own: true, allocs: 9, frees: 5,
        stack: [0, 1, 2, 3], objects: [1, 1, 1, 1], bytes: [100, 100, 100, 100], survivors: [[0, 1, 100], [1, 1, 100], [2, 1, 100], [3, 1, 100]], map: null },
      { id: "b2", name: "lru::Cache::put", class: "turnover", place: null, tag: "lookup", is_own: false, allocs: 90, frees: 80,
        stack: [4, 5, 2, 3], objects: [10, 0, 0, -4], bytes: [1000, 0, 0, -400], survivors: [[3, 6, 600]], map: null },
    ],
  });
}

test("series are unpacked from their differences", () => {
  const { sites } = run();
  assert.deepEqual([...sites[0].bytes], [100, 200, 300, 400]);
  assert.deepEqual([...sites[1].bytes], [1000, 1000, 1000, 600]);
});

test("each measure asks its own question of a span", () => {
  const { sites } = run();
  const span = { from: 0, to: 2 };
  const width = (name, site) => model.MEASURES[name].width(site, span, "bytes");
  assert.deepEqual(["live", "growth", "survivors"].map((name) => width(name, sites[0])), [300, 200, 200]);
  assert.deepEqual(["live", "growth", "survivors"].map((name) => width(name, sites[1])), [1000, 0, 0]);
  assert.equal(model.MEASURES.difference.change(sites[1], { from: 0, to: 3 }, "bytes"), -400);
});

test("a call tree adds up to its sites, in whichever frames", () => {
  const it = run();
  for (const frames of ["own", "all"]) {
    const root = model.callTree(it, it.sites, model.MEASURES.live, { from: 0, to: 3 }, "bytes", frames);
    assert.equal(root.width, 1000);
    const main = root.children.get("shop::main");
    assert.equal(main.width, 1000, frames);
    assert.equal(main.children.has("tokio::poll"), frames === "all");
    const sum = (node) => [...node.children.values()].reduce((all, child) => all + child.width, 0);
    assert.equal(sum(main), 1000);
  }
  // Where the user called a dependency, it is shown what it was.
  const names = model.shownFrames(it, it.sites[1], "own").map((frame) => it.names[frame[0]]);
  assert.deepEqual(plain(names), ["shop::main", "shop::lookup", "lru::Cache::put"]);
});

test("boxes lie within their callers, and a zoom keeps the way down", () => {
  const it = run();
  const root = model.callTree(it, it.sites, model.MEASURES.live, { from: 0, to: 3 }, "bytes", "all");
  const boxes = model.layOut(root, 0.001, 1000);
  for (const box of boxes.filter((box) => box.node.parent)) {
    const caller = boxes.find((other) => other.node === box.node.parent);
    assert.equal(box.depth, caller.depth + 1);
    assert.ok(box.left >= caller.left - 1e-9 && box.left + box.share <= caller.left + caller.share + 1e-9, box.node.name);
  }
  const poll = root.children.get("shop::main").children.get("tokio::poll");
  const zoomed = model.layOut(poll.children.get("shop::login"), 0.001, 1000);
  assert.deepEqual(plain(zoomed.map((box) => [box.node.name, box.depth, box.isAncestor])), [
    ["all", 0, true], ["shop::main", 1, true], ["tokio::poll", 2, true], ["shop::login", 3, false], ["alloc::vec::push", 4, false]]);
  assert.equal(model.layOut(root, 0.5, 1000).length < boxes.length, true, "narrow boxes are left out");
  assert.equal(model.layOut(root, 0, 3).length, 3, "there is a most");
});

test("a search counts what it finds once", () => {
  const it = run();
  const root = model.callTree(it, it.sites, model.MEASURES.live, { from: 0, to: 3 }, "bytes", "all");
  const found = (text) => model.matchedWidth(root, model.matcher(text));
  assert.equal(found("shop"), 1000);
  assert.equal(found("SHOP login"), 400);
  assert.equal(found("nothing"), 0);
  assert.equal(found(" "), 0);
});

test("sites are filtered and sorted", () => {
  const it = run();
  const filter = { text: "", classes: new Set(), ownOnly: false, sort: "class", descending: false };
  const ids = (change) => plain(model.chosenSites(it, { ...filter, ...change }, { from: 0, to: 3 }).map((site) => site.id));
  assert.deepEqual(ids({}), ["a1", "b2"]);
  assert.deepEqual(ids({ sort: "bytes", descending: true }), ["b2", "a1"]);
  assert.deepEqual(ids({ sort: "growth", descending: true }), ["a1", "b2"]);
  assert.deepEqual(ids({ text: "lookup" }), ["b2"]);
  assert.deepEqual(ids({ text: "MAIN.rs" }), ["a1"]);
  assert.deepEqual(ids({ classes: new Set(["turnover"]) }), ["b2"]);
  assert.deepEqual(ids({ ownOnly: true }), ["a1"]);
});

test("a span stays on the run", () => {
  const it = run();
  assert.deepEqual(plain(model.defaultSpan(it)), { from: 0, to: 3 });
  assert.deepEqual(plain(model.spanInRange({ from: 9, to: 12 }, it)), { from: 3, to: 3 });
  const empty = model.decodeRun({ sites: [], columns: { seq: [], t: [], judged: 0, warm_up: 0, mature: 0 } });
  assert.deepEqual(plain(model.defaultSpan(empty)), { from: 0, to: 0 });
  assert.equal(model.siteAt({ objects: [], bytes: [] }, 0, "bytes"), 0);
});

test("a frame links to its line", () => {
  const it = run();
  assert.equal(model.frameLink(it, it.frames[1]), "https://forge.example/me/shop/blob/0123abcd/src/main.rs#L7");
  assert.equal(model.frameLink(it, it.frames[0]), null);
  assert.equal(model.frameLink(it, it.frames[2]), null);
});
