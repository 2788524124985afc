// The page: one report, one run at a time, and what its reader has chosen.

function newState(run) {
  return {
    span: defaultSpan(run),
    site: run.findings[0]?.site ?? run.sites[0]?.id ?? null,
    rows: ROWS_AT_FIRST,
    flame: { measure: run.findings.length > 0 ? "survivors" : "live", unit: "bytes", frames: "own", shape: "icicle", search: "" },
    filter: { text: "", classes: new Set(), ownOnly: false, sort: "class", descending: false },
  };
}

// Shows a report; what was chosen before stays chosen where it still can be.
function showReport(root, report, kept) {
  const runs = report.runs.map(decodeRun);
  const page = kept ?? { run: 0, states: new Map() };
  page.run = Math.min(page.run, Math.max(0, runs.length - 1));
  const run = runs[page.run];
  const stateKey = run ? `${run.recording}` : "";
  const state = run && (page.states.get(stateKey) ?? newState(run));
  if (run) {
    state.span = spanInRange(state.span, run);
    page.states.set(stateKey, state);
  }
  const sections = [];
  const changed = () => sections.forEach((section) => section.draw?.());
  const show = (index) => { page.run = index; showReport(root, report, page); };
  replaceChildren(root,
    pageHeader(report, runs, page.run, show, changed),
    make("main", { id: "content" },
      bannerSection(report, run),
      notesSection(report),
      run ? runSections(run, state, changed, sections) : make("p", { class: "card" }, "There is no run to show.")),
    pageFooter(report));
  page.redraw = changed;
  // The verdict is on the screen before the pictures are drawn; what is only brought up to date must not
  // flicker.
  if (kept) changed();
  else requestAnimationFrame(() => setTimeout(changed, 0));
  return page;
}

function runSections(run, state, changed, sections) {
  const made = [
    findingsSection(run, state, changed), timelineSection(run, state, changed), cohortSection(run, state, changed),
    flameSection(run, state), sitesSection(run, state, changed), aboutSection(run),
  ];
  sections.push(...made);
  return made;
}

function pageHeader(report, runs, chosen, show, changed) {
  const picker = runs.length < 2 ? null : make("select", {
    id: "run", "aria-label": "Run", on: { change: (event) => show(Number(event.target.value)) },
  }, runs.map((run, index) => make("option", { value: index, selected: index === chosen }, `${run.title} (pid ${run.pid})`)));
  const links = [["findings", "Findings"], ["timeline", "Timeline"], ["cohorts", "Cohorts"], ["flame", "Call tree"], ["sites", "Sites"]];
  return make("header", { class: "top" },
    make("a", { href: "#content", class: "skip" }, "Skip to the verdict"),
    make("span", { class: "brand" }, "heaptide"), picker,
    make("nav", { "aria-label": "Parts of the page" }, runs.length === 0 ? null : links.map(([id, text]) => make("a", { href: `#${id}` }, text))),
    make("button", { type: "button", class: "theme", on: { click: () => { toggleTheme(); changed(); } } }, "Light / dark"));
}

function notesSection(report) {
  const notes = [["error", report.errors], ["undecided", report.undecided], ["warning", report.warnings], ["compared", report.compared]];
  const lines = notes.flatMap(([word, texts]) => texts.map((text) => make("li", { class: `note ${word}` }, make("b", {}, word), `: ${text}`)));
  return lines.length === 0 ? null : make("ul", { class: "notes card" }, lines);
}

function aboutSection(run) {
  return make("section", { class: "card", "aria-labelledby": "about-title" },
    make("h2", { id: "about-title" }, "About this run"),
    make("dl", { class: "about" }, run.about.map(([term, text]) => make("div", {}, make("dt", {}, term), make("dd", {}, text)))));
}

function pageFooter(report) {
  const isFile = document.getElementById("data") !== null;
  const alone = isFile ? " This page is one file and asks no network for anything." : "";
  return make("footer", {}, make("p", { class: "muted" }, `${report.writer}.${alone} Series are shown at ${report.moments} moments of a run at most.`));
}

function prefersDark() {
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function toggleTheme() {
  const root = document.documentElement;
  const isDark = (root.dataset.theme ?? (prefersDark() ? "dark" : "light")) === "dark";
  root.dataset.theme = isDark ? "light" : "dark";
}

// What is drawn follows the width of the window and the colours of the theme.
function redrawOnChange(page) {
  let pending = 0;
  const later = () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => page().redraw());
  };
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; later(); } });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}
