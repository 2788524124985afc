// The live page: the list of recordings, kept up to date, and the report of the one that was chosen.

const live = {
  recordings: [],
  dir: "",
  chosen: null,
  shown: null,
  before: null,
  page: null,
  token: null,
  state: "connecting",
};

// Asks the server; the token, if there is one, lives in this page and goes with it.
function ask(path, options = {}) {
  const headers = { ...(options.headers ?? {}) };
  if (live.token) headers.Authorization = `Bearer ${live.token}`;
  return fetch(path, { ...options, headers });
}

async function askJson(path, options) {
  const response = await ask(path, options);
  if (response.status === 401) {
    showTokenForm(live.token !== null);
    throw new Error("a token is needed");
  }
  const value = await response.json();
  if (!response.ok) throw new Error(value.error ?? `the server answered ${response.status}`);
  return value;
}

// Server-sent events through `fetch`, which can send the token where an `EventSource` cannot.
async function listen() {
  const response = await ask("/api/events");
  if (response.status === 401) {
    showTokenForm(live.token !== null);
    return false;
  }
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  setConnection("live");
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return true;
    const parsed = eventsIn(unread + value);
    unread = parsed.rest;
    for (const event of parsed.events) {
      if (event.name === "recordings") await take(JSON.parse(event.data));
    }
  }
}

// Whole events at the start of a text, and what is left of it.
function eventsIn(text) {
  const blocks = text.split("\n\n");
  const rest = blocks.pop();
  const events = blocks.map((block) => {
    const fields = block.split("\n").filter((line) => line && !line.startsWith(":"));
    const of = (name) => fields.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart());
    return { name: of("event")[0] ?? "message", data: of("data").join("\n") };
  });
  return { events: events.filter((event) => event.data), rest };
}

// Reconnects as long as the page is open, ever more slowly.
async function keepListening() {
  for (let pause = 1000; ; pause = Math.min(pause * 2, 30000)) {
    try {
      if (!(await listen())) return;
      pause = 1000;
    } catch {
      // The server is gone for now; what was shown stays.
    }
    setConnection("not connected, trying again");
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function take(list) {
  live.dir = list.dir;
  live.recordings = list.recordings;
  if (!live.recordings.some((it) => it.id === live.chosen)) live.chosen = live.recordings[0]?.id ?? null;
  drawList();
  await showChosen();
}

// Fetches the report that is chosen, if there is a newer one than that on the screen.
async function showChosen() {
  const entry = live.recordings.find((it) => it.id === live.chosen);
  if (!entry?.outcome) {
    showWaiting(entry);
    return;
  }
  const wanted = `${entry.id} ${entry.version} ${live.before ?? ""}`;
  if (wanted === live.shown) return;
  const { before } = live;
  const path = before
    ? `/api/compare?before=${encodeURIComponent(before)}&after=${encodeURIComponent(entry.id)}`
    : `/api/recordings/${encodeURIComponent(entry.id)}`;
  try {
    const report = await askJson(path);
    // Somebody may have chosen another one while this was on its way.
    if (live.chosen !== entry.id || live.before !== before) return;
    live.shown = wanted;
    const at = scrollY;
    const focused = document.activeElement?.id;
    live.page = showReport(document.getElementById("report"), report, live.page);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    scrollTo({ top: at, behavior: "instant" });
  } catch (error) {
    tellLive(error.message);
  }
}

// The report of another recording must not stand under the name of one that has none yet.
function showWaiting(entry) {
  live.shown = null;
  const says = entry && (entry.problem ?? `${formatBytes(entry.n_bytes)} are being read. The verdict appears here by itself.`);
  replaceChildren(document.getElementById("report"), entry
    ? make("main", {}, make("section", { class: "banner doubt", "aria-labelledby": "waiting" },
      make("h1", { id: "waiting" }, `${entry.program} (pid ${entry.pid}) is not judged yet`), make("p", {}, says)))
    : null);
}

function setConnection(text) {
  live.state = text;
  const state = document.getElementById("connection");
  if (state) {
    state.textContent = text;
    state.className = text === "live" ? "badge good" : "badge doubt";
  }
}

function tellLive(text) {
  const told = document.getElementById("told");
  if (told) told.textContent = text;
}

function startLive(root) {
  replaceChildren(root,
    make("section", { class: "live", "aria-labelledby": "live-title" },
      make("h2", { id: "live-title" }, make("span", { class: "brand" }, "heaptide"), " recordings ", make("span", { id: "connection", class: "badge doubt", role: "status" }, live.state)),
      make("div", { id: "recordings" }), make("p", { id: "told", role: "status", class: "muted" })),
    make("div", { id: "report" }));
  keepListening();
}

function drawList() {
  const target = document.getElementById("recordings");
  if (!target) return;
  const focused = document.activeElement?.id;
  const rows = live.recordings.map((entry) => make("tr", { class: entry.id === live.chosen ? "selected" : "" },
    make("td", {}, make("button", {
      type: "button", class: "link", id: `choose-${entry.id}`, "aria-pressed": String(entry.id === live.chosen),
      on: { click: () => choose(entry.id) },
    }, `${entry.program} (pid ${entry.pid})`), make("div", { class: "place" }, entry.host)),
    make("td", {}, make("span", { class: `badge ${entry.tone}` }, entry.outcome ?? "not judged yet"), entry.is_live ? " running" : " ended"),
    make("td", { class: "number" }, formatCount(entry.n_findings)),
    make("td", { class: "number" }, formatBytes(entry.live_bytes)),
    make("td", { class: "number" }, formatBytes(entry.rss_bytes)),
    make("td", { class: "number" }, formatCount(entry.n_snapshots)),
    make("td", {}, entry.problem ?? historyText(entry))));
  const chosen = live.recordings.find((it) => it.id === live.chosen);
  const others = live.recordings.filter((it) => it.id !== live.chosen);
  const compare = make("select", { id: "compare", on: { change: () => { live.before = compare.value || null; showChosen(); } } },
    make("option", { value: "" }, "nothing"),
    others.map((it) => make("option", { value: it.id, selected: it.id === live.before }, `${it.program} (pid ${it.pid}), ${new Date(it.started_unix_ms).toISOString().slice(0, 16).replace("T", " ")}`)));
  replaceChildren(target,
    live.recordings.length === 0 ? make("p", { class: "empty" }, `No recording in ${live.dir} yet.`) : [
      make("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Recordings" }, make("table", { class: "sites" },
        make("thead", {}, make("tr", {}, ["process", "verdict", "findings", "live", "resident", "snapshots", "history"].map((text, column) =>
          make("th", { scope: "col", class: column > 1 && column < 6 ? "number" : "" }, text)))),
        make("tbody", {}, rows))),
      make("div", { class: "controls" },
        make("button", { type: "button", id: "snapshot-now", disabled: !chosen?.is_live, on: { click: () => snapshotNow(chosen) } }, "Snapshot now"),
        make("span", { class: "control" }, make("label", { for: "compare" }, "compare with"), compare)),
    ]);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function historyText(entry) {
  return entry.history.slice(-3).map((change) =>
    `${new Date(change.unix_ms).toISOString().slice(11, 19)} ${change.outcome}`).join(" · ");
}

function choose(id) {
  live.chosen = id;
  live.before = null;
  drawList();
  showChosen();
}

async function snapshotNow(entry) {
  tellLive("asking for a snapshot");
  try {
    const { seq } = await askJson(`/api/recordings/${encodeURIComponent(entry.id)}/snapshot`, { method: "POST", headers: { "X-Heaptide": "1" } });
    tellLive(`snapshot ${seq} is on disk`);
  } catch (error) {
    tellLive(error.message);
  }
}

function showTokenForm(wasRefused) {
  const root = document.getElementById("page");
  const input = make("input", { type: "password", id: "token", autocomplete: "off" });
  const form = make("form", { class: "card token", on: { submit: (event) => {
    event.preventDefault();
    live.token = input.value.trim();
    startLive(root);
  } } },
    make("h1", {}, "A token is needed"),
    wasRefused ? make("p", { role: "alert", class: "note error" }, make("b", {}, "That was not it.")) : null,
    make("label", { for: "token" }, "The token that this server was started with"), input, make("button", { type: "submit" }, "Open"));
  replaceChildren(root, make("main", {}, form));
  input.focus();
}
