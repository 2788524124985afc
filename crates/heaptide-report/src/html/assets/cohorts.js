// The cohort map of a site: what is alive, by when it was born (up) and when one looks (right). Of a
// leak, every stripe goes on to the right edge; of a cache or a load, stripes end.

function cohortSection(run, state, changed) {
  const mapped = run.sites.filter((site) => site.map);
  const canvas = make("canvas", { role: "img" });
  const says = make("p", { class: "readout", "aria-live": "off" });
  const select = make("select", { id: "cohort-site", on: { change: () => { state.site = select.value; changed(); } } },
    mapped.map((site) => make("option", { value: site.id }, `${site.class}: ${site.name}${site.tag ? ` [${site.tag}]` : ""}`)));
  const frame = make("div", { class: "cohort-frame" }, canvas);
  const section = make("section", { class: "card", "aria-labelledby": "cohorts-title", id: "cohorts" },
    make("h2", { id: "cohorts-title" }, "Cohort map"),
    make("p", { class: "muted" }, "Each row is what was born in one span of the run, oldest at the bottom; from left to right it is followed until it is freed. ",
      "Of a leak, the stripes go on to the right edge. Of a cache or of load, they end."),
    mapped.length === 0
      ? make("p", {}, "No site has cohorts to show.")
      : [make("div", { class: "controls" }, make("label", { for: "cohort-site" }, "call site"), select), frame, says]);
  section.draw = () => {
    if (mapped.length === 0) return;
    const site = mapped.find((it) => it.id === state.site) ?? mapped[0];
    select.value = site.id;
    drawCohorts(canvas, frame, run, site, state.span);
    says.textContent = cohortSentence(run, site);
    canvas.onmousemove = (event) => { says.textContent = cohortUnder(canvas, run, site, event) ?? cohortSentence(run, site); };
    canvas.onmouseleave = () => { says.textContent = cohortSentence(run, site); };
  };
  return section;
}

// What the picture says, for those who do not see it.
function cohortSentence(run, site) {
  const last = run.columns.judged - 1;
  if (last < 0) return "Nothing was judged.";
  const row = site.map[last] ?? [];
  const all = row.reduce((sum, bytes) => sum + bytes, 0);
  const old = row.slice(run.columns.warm_up, run.columns.mature).reduce((sum, bytes) => sum + bytes, 0);
  const early = row.slice(0, run.columns.warm_up).reduce((sum, bytes) => sum + bytes, 0);
  return `${formatBytes(all)} alive at the end: ${formatBytes(early)} from warm-up, ${formatBytes(old)} old, ${formatBytes(all - early - old)} young.`;
}

const COHORT_HEIGHT = 220;
const COHORT_LEFT = 4;

function cohortLayout(canvas, run) {
  const n = run.columns.seq.length;
  const births = run.columns.judged;
  return { n, births, cell: canvas.clientWidth / n, row: COHORT_HEIGHT / births };
}

function drawCohorts(canvas, frame, run, site, span) {
  canvas.setAttribute("aria-label", `Cohort map of ${site.name}. ${cohortSentence(run, site)}`);
  const width = Math.max(200, frame.clientWidth - COHORT_LEFT);
  drawOnCanvas(canvas, width, COHORT_HEIGHT, (context) => {
    const n = run.columns.seq.length;
    const births = run.columns.judged;
    if (n === 0 || births === 0) return;
    const [cell, row] = [width / n, COHORT_HEIGHT / births];
    const most = Math.max(1, ...site.map.flat());
    const color = styleValue(`--class-${site.class}`);
    context.fillStyle = styleValue("--map-ground");
    context.fillRect(0, 0, width, COHORT_HEIGHT);
    context.fillStyle = color;
    site.map.forEach((alive, column) => {
      alive.forEach((bytes, born) => {
        if (bytes === 0) return;
        // The square root lets small cohorts be seen beside large ones.
        context.globalAlpha = 0.15 + 0.85 * Math.sqrt(bytes / most);
        const y = COHORT_HEIGHT - (born + 1) * row;
        context.fillRect(column * cell, y, Math.ceil(cell * 10) / 10 + 0.3, row + 0.3);
      });
    });
    context.globalAlpha = 1;
    context.strokeStyle = styleValue("--text");
    context.setLineDash([4, 3]);
    for (const born of [run.columns.warm_up, run.columns.mature]) {
      const y = COHORT_HEIGHT - born * row;
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(width, y);
      context.stroke();
    }
    context.setLineDash([]);
    context.fillStyle = styleValue("--text");
    context.font = "11px system-ui";
    // Words can be read on whatever lies under them.
    context.strokeStyle = styleValue("--map-ground");
    context.lineWidth = 4;
    context.lineJoin = "round";
    const label = (text, y) => { context.strokeText(text, 4, y); context.fillText(text, 4, y); };
    label("warm-up", COHORT_HEIGHT - 5);
    if (run.columns.mature > run.columns.warm_up) label("old enough to count", COHORT_HEIGHT - run.columns.warm_up * row - 5);
    for (const column of [span.from, span.to]) {
      context.globalAlpha = 0.6;
      context.fillRect(Math.min(width - 1, (column + 1) * cell - 1), 0, 1, COHORT_HEIGHT);
    }
  });
}

function cohortUnder(canvas, run, site, event) {
  const { n, births, cell, row } = cohortLayout(canvas, run);
  const column = Math.floor(event.offsetX / cell);
  const born = Math.floor((COHORT_HEIGHT - event.offsetY) / row);
  if (column < 0 || column >= n || born < 0 || born >= births) return null;
  const bytes = site.map[column]?.[born] ?? 0;
  const since = born === 0 ? "start" : formatDuration(run.columns.t[born - 1]);
  return `Born between ${since} and ${formatDuration(run.columns.t[born])}: ${formatBytes(bytes)} alive at ${momentText(run, column)}.`;
}
