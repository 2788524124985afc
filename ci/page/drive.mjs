// Drives the report and the live page in a real browser, on real recordings.
//
//   node drive.mjs HEAPTIDE CHROMIUM LEAKY FIXED OUT
//
// LEAKY and FIXED are recordings of the demo; screenshots go to OUT.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { serve, shop, until } from "./services.mjs";

const [, , heaptide, executablePath, leaky, fixed, out] = process.argv;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(out, { recursive: true });

// What a page may cost: a report of the demo, and the live page until its first report is there.
const BUDGET = { report: 700_000, live: 700_000, requests: 4 };
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let failures = 0;

async function check(what, does) {
  try {
    const said = await does();
    console.log(`ok    ${what}${said ? `: ${said}` : ""}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${what}: ${error.message}`);
  }
}

// A page that remembers what went wrong in it and what it asked for.
async function open(address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, bypassCSP: false, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.asked = [];
  page.on("console", (message) => { if (message.type() === "error") page.faults.push(message.text()); });
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("request", (request) => page.asked.push(request.url()));
  page.answers = [];
  page.on("response", (response) => page.answers.push(response));
  await page.goto(address);
  return page;
}

function report(recording, name) {
  const file = join(out, `${name}.html`);
  const done = spawnSync(heaptide, ["report", recording, "-o", file], { encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
  return file;
}

// Serious faults only: what keeps somebody from reading the page.
async function serious(page) {
  // The page lets no script in, so this one comes by the debugger, which the policy does not bind.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(document).then((found) => JSON.stringify({
      n_passed: found.passes.length,
      faults: found.violations.filter((it) => ["serious", "critical"].includes(it.impact))
        .map((it) => it.id + " at " + it.nodes.slice(0, 3).map((node) => node.target).join(", ")) }))`,
    awaitPromise: true,
  });
  const { n_passed: nPassed, faults } = JSON.parse(result.value);
  assert.ok(nPassed > 15, `only ${nPassed} rules were looked at`);
  return faults;
}

// Nothing is wider than the window, and no word is broken into letters.
async function fits(page) {
  const beside = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(beside <= 0, `it is ${beside} px too wide`);
  const broken = await page.evaluate(() => [...document.querySelectorAll("label, th, button:not(.link), .badge, dt")]
    .filter((it) => it.offsetParent && it.firstChild?.nodeType === Node.TEXT_NODE && it.offsetWidth < 24 && it.textContent.length > 4)
    .map((it) => it.textContent));
  assert.deepEqual(broken, []);
}

const pages = { leaky: report(leaky, "leaky"), healthy: report(fixed, "healthy") };

for (const [name, file] of Object.entries(pages)) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1440, 390]) {
      await check(`${name}, ${colorScheme}, ${width} px`, async () => {
        const page = await open(`file://${file}`, { viewport: { width, height: 900 }, colorScheme });
        await page.waitForSelector("#sites tbody tr");
        assert.deepEqual(page.faults, []);
        assert.equal(page.asked.length, 1, `it asked for ${page.asked}`);
        assert.ok(readFileSync(file).length <= BUDGET.report, `it has ${readFileSync(file).length} bytes`);
        await fits(page);
        assert.deepEqual(await serious(page), []);
        await page.screenshot({ path: join(out, `report-${name}-${colorScheme}-${width}.png`) });
        const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
        await page.context().close();
        return `${readFileSync(file).length} bytes, 1 request, painted after ${Math.round(painted)} ms`;
      });
    }
  }
}

await check("the report answers", async () => {
  const page = await open(`file://${pages.leaky}`);
  assert.match(await page.textContent("#verdict"), /leaves .* behind that nobody frees/);
  const rows = page.locator("#sites tbody tr");
  const before = await rows.count();
  await page.fill("#site-filter", "Sessions::create");
  assert.ok((await rows.count()) < before, "the filter leaves rows out");
  await page.fill("#site-filter", "");
  await page.click(".chip.class-leak");
  assert.equal(new Set(await page.locator("#sites tbody .badge").allTextContents()).size, 1);
  await page.selectOption("#flame-measure", "difference");
  await page.waitForSelector(".box.grew");
  await page.fill("#flame-search", "Sessions");
  await page.waitForSelector(".box.found");
  assert.match(await page.locator("#flame .readout").textContent(), /“Sessions” is on \d/);
  const all = await page.getAttribute(".flame .box", "aria-label");
  await page.focus("#span-to");
  await page.keyboard.press("Home");
  assert.equal(await page.inputValue("#span-from"), "0", "A follows B");
  assert.notEqual(await page.getAttribute(".flame .box", "aria-label"), all, "the tree follows the span");
  await page.keyboard.press("End");
  await page.focus('.flame [tabindex="0"]');
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.ok((await page.locator(".box.ancestor").count()) >= 1, "Enter zooms");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".box.ancestor").count(), 0, "Escape shows all");
  await page.context().close();
});

// What nobody should be able to say through a recording: markup, terminal sequences, workflow commands,
// shell, in the names of functions, program, host and work.
const HOSTILE = String.raw`</script><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>\u001b[31m\u001b]0;pwned\u0007\u202e\n::error::pwned $(touch pwned)`;
const hostileDir = join(out, "hostile");
rmSync(hostileDir, { recursive: true, force: true });
mkdirSync(hostileDir);
const hostileRecording = join(hostileDir, "hostile.jsonl");
const OF_HEADER = /("exe":"[^"]*|"host":"[^"]*)"/g;
writeFileSync(hostileRecording, readFileSync(leaky, "utf8").split("\n").map((line) => {
  const named = line.replaceAll("Sessions", HOSTILE).replaceAll('"requests"', `"requests${HOSTILE}"`);
  return line.includes('"kind":"header"') ? named.replaceAll(OF_HEADER, `$1${HOSTILE.replaceAll("$", "$$$$")}"`) : named;
}).join("\n"));

async function isUnharmed(page) {
  await page.waitForSelector("#sites tbody tr");
  assert.match(await page.textContent("#sites"), /<img src=x onerror/, "the name is shown as it is");
  assert.equal(await page.locator("img, #page svg[onload]").count(), 0);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(page.faults, []);
  assert.equal(await page.title().then((title) => /[\u0000-\u001f\u202e]/.test(title)), false);
}

await check("a hostile recording does nothing in the report", async () => {
  const page = await open(`file://${report(hostileRecording, "hostile")}`);
  await isUnharmed(page);
  await page.context().close();
});

await check("a hostile recording does nothing in the live page and the alert", async () => {
  const [body, text] = [join(out, "hostile-alert.json"), join(out, "hostile-alert.txt")];
  for (const file of [body, text]) rmSync(file, { force: true });
  const server = await serve(heaptide, hostileDir, ["--on-finding", `cat > ${body}; printf %s "$HEAPTIDE_ALERT" > ${text}`]);
  const page = await open(server.address);
  await isUnharmed(page);
  assert.equal(page.asked.filter((address) => !address.startsWith(server.address)).length, 0);
  const alert = await until("the alert", () => existsSync(text) && readFileSync(text, "utf8"));
  assert.match(alert, /‹img src=x/, "the name is readable, and no link or mention");
  assert.doesNotMatch(alert, /[\u0000-\u001f\u202e]/);
  assert.equal(JSON.parse(readFileSync(body, "utf8")).text, alert);
  const metrics = await (await fetch(`${server.address}metrics`)).text();
  assert.match(metrics, /^# HELP/);
  for (const line of metrics.trimEnd().split("\n")) assert.match(line, /^(# (HELP|TYPE) )?heaptide_\w+[{ ]/);
  await page.context().close();
  await server.stop();
  assert.equal(existsSync("pwned"), false, "a shell ran what a recording says");
  return alert;
});

// A terminal of 100 columns that shows what a command writes.
async function inTerminal(command, shows, name) {
  const tmux = (...args) => spawnSync("tmux", ["-L", `heaptide-${process.pid}-${name}`, ...args], { encoding: "utf8" });
  tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", `${command}; sleep 60`);
  try {
    const screen = await until(`“${shows}” in the terminal`, () => {
      const { stdout } = tmux("capture-pane", "-p");
      return stdout.includes(shows) && stdout;
    }, 60);
    const coloured = tmux("capture-pane", "-e", "-p").stdout;
    writeFileSync(join(out, `${name}.ansi`), coloured);
    return { screen, coloured, title: tmux("display-message", "-p", "#{pane_title}").stdout.trim() };
  } finally {
    tmux("kill-server");
  }
}

await check("a hostile recording does nothing in a terminal", async () => {
  for (const [command, shows] of [["top", "onerror"], ["check", "(exit 1)"], ["show --top 3", "live in"]]) {
    const { screen, title } = await inTerminal(`${heaptide} ${command} ${hostileRecording}`, shows, `hostile-${command.split(" ")[0]}`);
    assert.doesNotMatch(title, /pwned/, `${command} set the title of the terminal`);
    assert.doesNotMatch(screen, /^::error::/m, command);
    assert.match(screen, /onerror/, command);
  }
  const { stdout } = spawnSync(heaptide, ["check", hostileRecording, "--format", "github"], { encoding: "utf8" });
  const commands = stdout.split("\n").filter((line) => line.startsWith("::"));
  assert.ok(commands.every((line) => /^::(error|warning|notice) /.test(line)), commands.join("\n"));
});

await check("top in a terminal, in colour and without", async () => {
  const shown = [];
  const recordings = [[leaky, "leaky", "", "growth over budget"], [fixed, "healthy", "", "clean"], [leaky, "plain", "NO_COLOR=1 ", "growth over budget"]];
  for (const [file, name, asks, says] of recordings) {
    const { coloured } = await inTerminal(`${asks}${heaptide} top ${file}`, says, `top-${name}`);
    const colours = coloured.match(/\x1b\[(?:[0-9;]*;)?(?:3[0-7]|38;[0-9;]+)m/g) ?? [];
    assert.equal(colours.length > 0, asks === "", `${name}: ${colours.length} colours`);
    shown.push(`${name}: ${colours.length} colours`);
  }
  return shown.join(", ");
});

await check("a finding appears without a reload", async () => {
  const dir = join(out, "live");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const alert = join(out, "alert.json");
  rmSync(alert, { force: true });
  const server = await serve(heaptide, dir, ["--on-finding", `cat > ${alert}`]);
  const page = await open(server.address);
  await page.waitForSelector("text=No recording in");
  const lines = readFileSync(leaky, "utf8").split("\n");
  const snapshots = lines.flatMap((line, index) => (line.includes('"kind":"snapshot"') ? [index] : []));
  const file = join(dir, "shop.jsonl");
  // Ten snapshots and a torn one, then the rest.
  const part = lines.slice(0, snapshots[10]).join("\n");
  writeFileSync(file, `${part}\n${lines[snapshots[10]].slice(0, 50)}`);
  await page.waitForSelector(".banner.doubt", { timeout: 60000 });
  appendFileSync(file, `${lines[snapshots[10]].slice(50)}\n${lines.slice(snapshots[10] + 1).join("\n")}`);
  await page.waitForSelector(".banner.bad", { timeout: 60000 });
  assert.equal(page.asked.filter((address) => new URL(address).pathname === "/").length, 1, "it was not loaded again");
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await serious(page), []);
  await page.screenshot({ path: join(out, "live-light-1440.png") });
  const metrics = await (await fetch(`${server.address}metrics`)).text();
  assert.match(metrics, /heaptide_findings\{.*class="leak",result="fails"\} 1/);
  writeFileSync(join(out, "metrics.txt"), metrics);
  const message = JSON.parse(readFileSync(alert, "utf8"));
  assert.match(message.text, /leak in .*Sessions::create/);
  const evil = await page.request.get(`${server.address}api/recordings`, { headers: { Host: "evil.example" } });
  assert.equal(evil.status(), 421);
  for (const path of ["api/recordings/..%2f..%2fetc%2fpasswd", "..%2fshop.jsonl", "shop.jsonl", "api/recordings/x/report"]) {
    assert.equal((await fetch(server.address + path)).status, 404, path);
  }
  rmSync(file);
  await page.waitForSelector("text=No recording in", { timeout: 60000 });
  await page.context().close();
  await server.stop();
  return message.text;
});

await check("a shop under load is found out while it runs", async () => {
  const dir = join(out, "under-load");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  const server = await serve(heaptide, dir);
  const page = await open(server.address);
  await page.waitForSelector("text=No recording in");
  const running = await shop(heaptide, dir, { leaks: true });
  await page.waitForSelector(".banner.bad", { timeout: 300000 });
  assert.match(await page.textContent("#verdict"), /leaves .* behind that nobody frees/);
  await page.click("#snapshot-now");
  await page.waitForSelector("#told:has-text('is on disk')", { timeout: 30000 });
  const told = await page.textContent("#told");
  // What was chosen stays chosen while newer reports arrive.
  await page.fill("#site-filter", "Sessions::create");
  await page.selectOption("#flame-measure", "difference");
  await page.waitForSelector(".box.grew");
  const shown = () => page.evaluate(() => live.shown);
  const before = await shown();
  await page.waitForFunction((old) => live.shown !== old, before, { timeout: 60000 });
  assert.equal(await page.inputValue("#site-filter"), "Sessions::create");
  assert.equal(await page.inputValue("#flame-measure"), "difference");
  const names = await page.locator("#sites tbody .site-name button").allTextContents();
  assert.ok(names.length > 0 && names.every((name) => name.includes("Sessions::create")), `${names}`);
  await page.fill("#flame-search", "Sessions");
  await page.waitForSelector(".box.found");
  await page.focus("#span-from");
  await page.keyboard.press("End");
  assert.equal(await page.inputValue("#span-from"), await page.inputValue("#span-to"), "B follows A");
  assert.equal(page.asked.filter((address) => new URL(address).pathname === "/").length, 1, "it was not loaded again");
  assert.deepEqual(page.faults, []);
  await running.stop();
  await page.waitForSelector("td:has-text('ended')", { timeout: 60000 });
  await page.context().close();
  await server.stop();
  return `${told}; ${page.asked.length} requests`;
});

// What a live page has fetched; its events go on for as long as it is open.
async function cost(page) {
  const whole = page.answers.filter((answer) => !answer.url().endsWith("/api/events"));
  const bodies = await Promise.all(whole.map((answer) => answer.body()));
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  assert.ok(page.asked.length <= BUDGET.requests, `it asked for ${page.asked}`);
  assert.ok(bytes <= BUDGET.live, `it fetched ${bytes} bytes`);
  return `${page.asked.length} requests, ${bytes} bytes`;
}

await check("the live page is within its budget", async () => {
  const dir = join(out, "both");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir);
  copyFileSync(leaky, join(dir, "leaky.jsonl"));
  copyFileSync(fixed, join(dir, "fixed.jsonl"));
  const server = await serve(heaptide, dir);
  const said = [];
  for (const [name, tone] of [["leaky", "bad"], ["healthy", "good"]]) {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1440, 390]) {
        const page = await open(server.address, { viewport: { width, height: 900 }, colorScheme });
        await page.locator(`#recordings tr:has(.badge.${tone}) button`).click({ timeout: 60000 });
        await page.waitForSelector(`.banner.${tone}`);
        await page.waitForSelector("#sites tbody tr");
        await fits(page);
        assert.deepEqual(await serious(page), []);
        assert.deepEqual(page.faults, []);
        await page.screenshot({ path: join(out, `live-${name}-${colorScheme}-${width}.png`) });
        // The one that is shown by itself; the other costs one request more, and as many bytes again.
        if (name === "leaky") said.push(await cost(page));
        await page.context().close();
      }
    }
  }
  await server.stop();
  return `${said[0]} and events; at most ${BUDGET.requests} and ${BUDGET.live}`;
});

await check("the token is refused and accepted", async () => {
  const server = await serve(heaptide, join(out, "live"), [], { HEAPTIDE_TOKEN: "0123456789abcdef0123" });
  assert.equal((await fetch(`${server.address}metrics`)).status, 401);
  assert.equal((await fetch(`${server.address}healthz`)).status, 200);
  const asked = await fetch(`${server.address}metrics`, { headers: { Authorization: "Bearer 0123456789abcdef0123" } });
  assert.equal(asked.status, 200);
  const page = await open(server.address);
  await page.fill("#token", "wrong");
  await page.click("text=Open");
  await page.waitForSelector("text=That was not it.");
  await page.fill("#token", "0123456789abcdef0123");
  await page.click("text=Open");
  await page.waitForSelector("#connection:has-text('live')");
  await page.context().close();
  await server.stop();
});

await browser.close();
console.log(`${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
