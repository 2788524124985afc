import test from "node:test";
import assert from "node:assert/strict";
import { load } from "./load.mjs";

// As much of a document as `make` touches: it can hold text and elements, and has no way to parse.
class Node {
  constructor(tag) { this.tag = tag; this.children = []; this.attributes = {}; }
  setAttribute(name, value) { this.attributes[name] = value; }
  append(child) { this.children.push(child); }
}
const document = {
  createElement: (tag) => new Node(tag),
  createTextNode: (text) => Object.assign(new Node("#text"), { text }),
};
const { make } = load(["dom.js"], ["make"], { document, Node });

test("what a recording says is text", () => {
  const hostile = "<img src=x onerror=alert(1)>";
  const element = make("p", { title: hostile }, hostile, [null, 7]);
  assert.deepEqual(element.children.map((child) => [child.tag, child.text]), [["#text", hostile], ["#text", "7"]]);
  assert.equal(element.attributes.title, hostile);
});

test("hidden characters are spelt out", () => {
  const element = make("p", { title: "a\u202eb" }, "\u001b[31m\u202e\n\tx");
  assert.equal(element.children[0].text, "\\u{1b}[31m\\u{202e}\n\tx");
  assert.equal(element.attributes.title, "a\\u{202e}b");
});

test("no attribute acts, and a link leads to https only", () => {
  for (const name of ["onclick", "style", "srcdoc", "src", "formaction"]) {
    assert.throws(() => make("a", { [name]: "x" }), /no attribute of ours/, name);
  }
  for (const [href, kept] of [["https://a.b/c", true], ["#sites", true], ["javascript:alert(1)", false], ["data:text/html,x", false], ["http://a.b", false]]) {
    assert.equal("href" in make("a", { href }).attributes, kept, href);
  }
});
