// The answer first: what the verdict is, and what was found, one card each.

function bannerSection(report, run) {
  const { outcome } = report;
  const facts = [];
  const worst = run?.findings[0];
  const part = run?.parts.find((it) => it.may_grow);
  if (worst) {
    const isNamed = worst.place && report.conclusion.includes(worst.name);
    facts.push(["Where", [isNamed ? null : worst.name, worst.place ? placeText(run, worst) : null]]);
    facts.push(["Since", [worst.since]]);
    facts.push(["How fast", [run.leaking ?? worst.growth]]);
    facts.push(["When it hurts", [run.runs_out ?? worst.runs_out ?? "no limit is near at this pace"]]);
  } else if (part) {
    facts.push(["Where", [`outside the recorded heap: ${part.name}`]]);
    facts.push(["How fast", [part.growth]]);
    facts.push(["From and to", [part.first_and_last]]);
  } else if (run) {
    // What a verdict without findings rests on.
    facts.push(...run.about.filter(([term]) => ["Recorded", "Work", "Resident at the end"].includes(term)).map(([term, text]) => [term, [text]]));
  }
  return make("section", { class: `banner ${outcome.tone}`, "aria-labelledby": "verdict" },
    make("p", { class: "outcome" }, make("span", { class: "word" }, outcome.word), make("span", { class: "muted" }, ` exit ${outcome.exit_code}`)),
    make("h1", { id: "verdict" }, report.conclusion),
    facts.length === 0 ? null
      : make("dl", { class: "facts" }, facts.map(([term, texts]) =>
        make("div", {}, make("dt", {}, term), make("dd", {}, texts.filter(Boolean).map((text) => make("span", {}, text)))))));
}

function placeText(run, finding) {
  return finding.link ? make("a", { href: finding.link, rel: "noreferrer" }, finding.place) : finding.place;
}

function findingsSection(run, state, changed) {
  const { findings } = run;
  return make("section", { "aria-labelledby": "findings-title", id: "findings" },
    make("h2", { id: "findings-title" }, findings.length === 0 ? "No findings" : `Findings (${findings.length})`),
    findings.length === 0 ? make("p", { class: "card" }, `No call site of this run is a finding. Call sites by class: ${classesSentence(run)}.`) : null,
    findings.map((finding, index) => findingCard(run, finding, index, () => {
      state.site = finding.site;
      changed();
      document.getElementById("cohorts").scrollIntoView({ behavior: calm() ? "auto" : "smooth" });
    })),
    run.grows_under.length > 0 ? callTreeText(run) : null,
    partsCard(run));
}

// What the process holds beside the recorded heap: who grows there is no call site, but no less a leak.
function partsCard(run) {
  if (run.parts.length === 0) return null;
  const grows = run.parts.some((part) => part.may_grow || part.result);
  return make("details", { class: `card parts${grows ? " grows" : ""}`, open: grows },
    make("summary", {}, grows ? "Parts of the process: some grow" : "Parts of the process"),
    make("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Parts of the process" }, make("table", { class: "sites" },
      make("thead", {}, make("tr", {}, ["part", "class", "first and last", "growth", "result"].map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, run.parts.map(partRow)))),
    run.retained ? make("p", {}, run.retained) : null);
}

function partRow(part) {
  return make("tr", {},
    make("td", {}, part.name, PART_MEANINGS[part.name] ? make("div", { class: "muted" }, PART_MEANINGS[part.name]) : null),
    make("td", {}, make("span", { class: `badge ${part.may_grow ? "bad" : ""}` }, part.class)),
    make("td", {}, part.first_and_last),
    make("td", {}, part.may_grow ? part.growth : ""),
    make("td", {}, part.result ? `${part.result}: ${part.because}` : "", part.advice ? make("div", { class: "place" }, part.advice) : null));
}

function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function classesSentence(run) {
  return CLASSES.filter((word) => run.classes[word]).map((word) => `${formatCount(run.classes[word])} ${word}`).join(", ");
}

function callTreeText(run) {
  return make("details", { class: "card tree" }, make("summary", {}, run.grows_under[0]), make("pre", {}, run.grows_under.slice(1).join("\n")));
}

function findingCard(run, finding, index, show) {
  const site = run.siteById.get(finding.site);
  return make("article", { class: `card finding class-${finding.class}`, "aria-labelledby": `finding-${index}` },
    make("header", {}, classBadge(finding.class), make("span", { class: "muted" }, `${finding.confidence} · ${finding.result} · site ${finding.id}`)),
    make("h3", { id: `finding-${index}` }, finding.name),
    finding.place ? make("p", { class: "place" }, placeText(run, finding)) : null,
    finding.around.map((line) => make("p", { class: "place" }, line)),
    make("p", { class: "growth" }, finding.growth),
    finding.notes.map((note) => make("p", {}, note)),
    make("div", { class: "sparks" },
      site && site.bytes.length > 1 ? spark("live bytes over the run", lineSpark(site.bytes.subarray(0, run.columns.judged), formatBytes)) : null,
      finding.cohorts.length > 0 ? spark("alive by birth, oldest left", barSpark(finding.cohorts)) : null),
    finding.source ? sourceSnippet(run, finding) : null,
    make("details", { open: index === 0 }, make("summary", {}, "Why this is believed"),
      make("p", {}, finding.counts),
      make("ul", {}, finding.excluded.map((text) => make("li", {}, text))),
      finding.would_change ? make("p", {}, finding.would_change) : null,
      make("p", { class: "muted" }, finding.ruling)),
    make("details", {}, make("summary", {}, `Call stack (${finding.stack.length} frames)`), stackList(run, finding.stack)),
    site?.map ? make("button", { type: "button", on: { click: show } }, "Show its cohort map") : null);
}

function spark(label, picture) {
  return make("figure", { class: "spark" }, picture, make("figcaption", { class: "muted" }, label));
}

const SPARK = { width: 240, height: 44 };

function svg(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function sparkFrame(label) {
  return svg("svg", { viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, role: "img", "aria-label": label, preserveAspectRatio: "none" });
}

function lineSpark(values, format) {
  const most = Math.max(1, ...values);
  const picture = sparkFrame(`from ${format(values[0])} to ${format(values.at(-1))}`);
  const x = (index) => (index * SPARK.width) / (values.length - 1);
  const y = (value) => SPARK.height - 1 - (value / most) * (SPARK.height - 3);
  const points = Array.from(values, (value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  picture.append(
    svg("polygon", { class: "area", points: `0,${SPARK.height} ${points} ${SPARK.width},${SPARK.height}` }),
    svg("polyline", { class: "line", points }));
  return picture;
}

// One bar for each birth: `[objects, stage]`, where the stage is warm-up, mature or young.
function barSpark(bars) {
  const most = Math.max(1, ...bars.map(([objects]) => objects));
  const survivors = bars.reduce((sum, [objects]) => sum + objects, 0);
  const picture = sparkFrame(`${formatCount(survivors)} objects alive, by birth`);
  const width = SPARK.width / bars.length;
  bars.forEach(([objects, stage], index) => {
    const height = objects === 0 ? 0.5 : Math.max(2, (objects / most) * (SPARK.height - 2));
    picture.append(svg("rect", { class: `bar ${stage}`, x: (index * width).toFixed(2), y: (SPARK.height - height).toFixed(2), width: Math.max(0.6, width * 0.85).toFixed(2), height: height.toFixed(2) }));
  });
  return picture;
}

function sourceSnippet(run, finding) {
  const { first_line: first, lines } = finding.source;
  return make("div", { class: "source", role: "region", "aria-label": `Source around ${finding.place}`, tabindex: 0 },
    make("pre", {}, lines.map((line, index) => {
      const number = first + index;
      const isIt = number === finding.line;
      return make("span", { class: isIt ? "line here" : "line" },
        make("span", { class: "number", "aria-hidden": "true" }, String(number).padStart(5)), ` ${line}\n`);
    })));
}
