import test from "node:test";
import assert from "node:assert/strict";
import { load } from "./load.mjs";

const { formatBytes, formatCount, formatDuration, formatShare, formatSignificant, signed } = load(
  ["format.js"], ["formatBytes", "formatCount", "formatDuration", "formatShare", "formatSignificant", "signed"]);

// The same cases as in src/number.rs, so that the page says what the terminal says.
test("numbers read as in the other outputs", () => {
  for (const [n, text] of [[0, "0"], [999, "999"], [1000, "1,000"], [1234567, "1,234,567"], [-1480, "-1,480"]]) {
    assert.equal(formatCount(n), text);
  }
  for (const [n, text] of [[0, "0 B"], [184, "184 B"], [2048, "2.0 KiB"], [66270003, "63.2 MiB"], [-2048, "-2.0 KiB"]]) {
    assert.equal(formatBytes(n), text);
  }
  for (const [x, text] of [[1, "1"], [0.25, "0.25"], [12.345, "12.3"], [0.00071, "0.00071"], [9700, "9700"], [97000, "9.7e4"], [0, "0"]]) {
    assert.equal(formatSignificant(x), text);
  }
  for (const [s, text] of [[0.43, "0.4 s"], [59, "59 s"], [250, "4m 10s"], [7200, "2h"], [100000, "1d 3h"]]) {
    assert.equal(formatDuration(s), text);
  }
  assert.equal(signed(184, formatBytes), "+184 B");
  assert.equal(signed(0, formatBytes), "0 B");
  assert.equal(formatShare(1, 3), "33 %");
  assert.equal(formatShare(1, 0), "0 %");
});
