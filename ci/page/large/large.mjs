// How soon a person sees something of a large recording, and in how much memory.
//
//   node large.mjs HEAPTIDE CHROMIUM DIR
//
// DIR has `made.jsonl` with its later segments, and what its last snapshot holds as `made.folded`.
import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { chromium } from "playwright-core";
import { serve, until } from "./services.mjs";

const [, , heaptide, executablePath, dir] = process.argv;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--enable-precise-memory-info"] });
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const MINUTES = { timeout: 600_000 };

// The high water of a process's resident memory.
function peak(pid) {
  const found = readFileSync(`/proc/${pid}/status`, "utf8").match(/VmHWM:\s+(\d+)/);
  return found ? Number(found[1]) / 1024 : 0;
}

async function heap(page) {
  return `${Math.round((await page.evaluate(() => performance.memory.usedJSHeapSize)) / 2 ** 20)} MiB of JavaScript heap`;
}

async function report(file) {
  const since = performance.now();
  const child = spawn(heaptide, ["report", join(dir, "made.jsonl"), "-o", file], { stdio: "ignore" });
  let most = 0;
  const look = setInterval(() => { most = Math.max(most, peak(child.pid)); }, 20);
  const status = await new Promise((resolve) => child.on("exit", resolve));
  clearInterval(look);
  if (status !== 0) throw new Error(`heaptide report ended with ${status}`);
  return `${seconds(since)}, at most ${Math.round(most)} MiB resident; ${(statSync(file).size / 1e6).toFixed(1)} MB`;
}

// Opens a report, and moves an end of its span.
async function look(file) {
  const page = await browser.newPage();
  await page.goto(`file://${file}`, MINUTES);
  await page.waitForSelector("#sites tbody tr", MINUTES);
  const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  const moved = await page.evaluate(() => {
    const since = performance.now();
    const slider = document.getElementById("span-to");
    slider.value = String(Math.floor(slider.max / 2));
    slider.dispatchEvent(new Event("input"));
    return performance.now() - since;
  });
  const said = `first paint after ${Math.round(painted)} ms, B moved in ${Math.round(moved)} ms, ${await heap(page)}`;
  await page.close();
  return said;
}

// From the start of the server on: when the recording is on the list, what the page says, when there is a verdict.
async function live() {
  const since = performance.now();
  const server = await serve(heaptide, dir);
  const page = await browser.newPage();
  await page.goto(server.address);
  await page.waitForSelector("#recordings tbody tr", MINUTES);
  const listed = seconds(since);
  const meanwhile = await page.waitForSelector("#report h1", MINUTES).then((it) => it.evaluate((h1) => `${h1.textContent}: ${h1.nextElementSibling?.textContent}`));
  await page.waitForSelector("#sites tbody tr", MINUTES);
  const said = `listed after ${listed} (“${meanwhile}”), verdict on the screen after ${seconds(since)}, the server at most ${Math.round(peak(server.pid))} MiB resident`;
  await page.close();
  await server.stop();
  return said;
}

// The last snapshot alone, as another viewer shows it.
async function speedscope() {
  const release = join(dirname(createRequire(import.meta.url).resolve("speedscope/package.json")), "dist/release/index.html");
  const page = await browser.newPage();
  await page.goto(`file://${release}`, MINUTES);
  const input = page.locator('input[type="file"]').first();
  await input.waitFor({ state: "attached", ...MINUTES });
  const since = performance.now();
  await input.setInputFiles(join(dir, "made.folded"));
  await until("speedscope's picture", async () => (await page.title()).includes("made"), 300);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const said = `${(statSync(join(dir, "made.folded")).size / 1e6).toFixed(1)} MB shown after ${seconds(since)}, ${await heap(page)}`;
  await page.close();
  return said;
}

const file = join(dir, "made.html");
console.log(`heaptide report  ${await report(file)}`);
console.log(`  the page       ${await look(file)}`);
console.log(`heaptide serve   ${await live()}`);
console.log(`speedscope       the last snapshot of it, folded: ${await speedscope()}`);
await browser.close();
