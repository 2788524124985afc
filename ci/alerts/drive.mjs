// A real Prometheus scrapes the live page while a shop leaks beside one that does not.
//
//   node drive.mjs HEAPTIDE PROMETHEUS ALERTS OUT
//
// ALERTS is the directory of rules and dashboard; what was scraped and told goes to OUT.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { end, serve, shop, start, until } from "./services.mjs";

const [, , heaptide, prometheus, alerts, out] = process.argv;
rmSync(out, { recursive: true, force: true });
const recordings = join(out, "recordings");
mkdirSync(recordings, { recursive: true });

// Far enough away that a quiet machine is not there before the alert, and near enough that a slow one
// would be within the hour.
writeFileSync(join(out, "heaptide.toml"), 'memory_limit = "128 MiB"\n');

// An address that is out of order at first.
const told = [];
let n_refused = 0;
const hook = createServer((request, answer) => {
  let body = "";
  request.on("data", (data) => { body += data; });
  request.on("end", () => {
    const isRefused = n_refused < 2;
    if (isRefused) n_refused += 1;
    else told.push(JSON.parse(body));
    answer.writeHead(isRefused ? 503 : 204).end();
  });
});
const hookPort = await listening(hook);

function listening(server) {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

async function freePort() {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const live = await serve(heaptide, recordings, ["--config", join(out, "heaptide.toml"), "--on-finding", `http://127.0.0.1:${hookPort}/hook`]);
const target = new URL(live.address).host;
const config = join(out, "prometheus.yml");
writeFileSync(config, `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ["${join(alerts, "rules.yml")}"]
scrape_configs:
  - job_name: heaptide
    static_configs: [{ targets: ["${target}"] }]
`);
const port = await freePort();
const flags = [`--config.file=${config}`, `--storage.tsdb.path=${join(out, "data")}`, `--web.listen-address=127.0.0.1:${port}`];
const scraper = start(prometheus, flags, { stdio: "ignore" });

async function api(path) {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
  return (await answer.json()).data;
}

async function query(expression) {
  return (await api(`query?query=${encodeURIComponent(expression)}`)).result;
}

async function entries() {
  return (await (await fetch(`${live.address}api/recordings`)).json()).recordings;
}

const shops = [];
try {
  await until("Prometheus", () => api("status/runtimeinfo").catch(() => null), 60);
  const [leaky, fixed] = [await shop(heaptide, recordings, { leaks: true }), await shop(heaptide, recordings, { leaks: false })];
  shops.push(leaky, fixed);
  const firing = async (name) => (await api("alerts")).alerts.find((alert) => alert.labels.alertname === name && alert.state === "firing");
  const leak = await until("HeapLeak", () => firing("HeapLeak"));
  assert.match(leak.labels.function, /Sessions::create$/);
  assert.match(leak.annotations.description, /Sessions::create at \S+shop\.rs:\d+ keeps \S+B more every hour/);
  console.log(`HeapLeak: ${leak.annotations.summary}: ${leak.annotations.description}`);
  const soon = await until("HeapLeakFillsMemorySoon", () => firing("HeapLeakFillsMemorySoon"));
  assert.match(soon.annotations.description, /most of it from \S+Sessions::create at/);
  console.log(`HeapLeakFillsMemorySoon: ${soon.annotations.summary}: ${soon.annotations.description}`);
  const message = await until("the webhook", () => told[0]);
  assert.equal(n_refused, 2, "it was tried again");
  assert.match(message.text, /leak in \S+Sessions::create at \S+shop\.rs:\d+: .*memory runs out in/);
  console.log(`webhook, at the third try: ${message.text}`);

  // The other shop is judged on as many snapshots, and nobody was told of it.
  const healthy = await until("a verdict on the fixed shop", async () =>
    (await entries()).find((entry) => entry.pid === fixed.pid && entry.n_snapshots >= 40 && entry.outcome === "clean"));
  assert.deepEqual(await query(`max_over_time(ALERTS{recording="${healthy.id}"}[1h])`), []);
  assert.ok(told.every((it) => it.pid === leaky.pid));
  console.log(`the fixed shop: ${healthy.outcome} after ${healthy.n_snapshots} snapshots, no alert`);

  await dashboardShows();
  const metrics = await (await fetch(`${live.address}metrics`)).text();
  writeFileSync(join(out, "metrics.txt"), metrics);
  const linted = spawnSync("promtool", ["check", "metrics"], { input: metrics, encoding: "utf8" });
  assert.equal(linted.status, 0, linted.stdout + linted.stderr);
  const [scrape] = await query("scrape_duration_seconds");
  console.log(`a scrape: ${metrics.length} bytes, ${metrics.split("\n").length} lines, ${Math.round(1000 * scrape.value[1])} ms`);
} finally {
  for (const running of shops) await running.stop();
  await end(scraper);
  await live.stop();
  hook.close();
  hook.closeAllConnections();
}

// Every panel of the dashboard and every recorded rule has something to show.
async function dashboardShows() {
  const { panels } = JSON.parse(readFileSync(join(alerts, "grafana.json"), "utf8"));
  const expressions = panels.flatMap((panel) => panel.targets.map((it) => [panel.title, it.expr.replaceAll("$program", ".*")]));
  const { groups } = await api("rules");
  const recorded = groups.flatMap((group) => group.rules).filter((rule) => rule.type === "recording");
  for (const [title, expression] of [...expressions, ...recorded.map((rule) => [rule.name, rule.name])]) {
    await until(`${title}: ${expression}`, async () => (await query(expression)).length > 0, 30);
  }
  console.log(`${panels.length} panels and ${recorded.length} recorded rules have something to show`);
}
