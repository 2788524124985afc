// The process over time: its heap, its resident set, its parts where the recording has them, its work.

// What the names of parts mean, which are the same in all outputs and in `heaptide.toml`.
const PART_MEANINGS = {
  rust_heap: "what was recorded",
  other_malloc: "C, from the same allocator",
  allocator_free: "freed, but kept by the allocator",
  anonymous: "other private memory",
  files: "mapped files",
  shim: "heaptide itself",
};

const PLOT_HEIGHT = 260;
const HEAP_HEIGHT = 170;
const WORK_HEIGHT = 130;
// Ticks at round numbers of KiB, MiB and so on.
const BYTE_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);
// A limit this many times higher than all that is drawn would flatten it; it is told in words instead.
const FAR_LIMIT = 3;

function timelineSection(run, state, changed) {
  const figure = make("div", { class: "plots" });
  const section = make("section", { "aria-labelledby": "timeline-title", class: "card", id: "timeline" },
    make("h2", { id: "timeline-title" }, "Timeline"),
    make("p", { class: "muted" }, timelineSentence(run)),
    figure,
    spanControls(run, state, changed));
  section.draw = () => drawTimeline(figure, run, state);
  return section;
}

function timelineSentence(run) {
  const { t, n_snapshots: n } = run.timeline;
  const shown = t.length < n
    ? `${formatCount(t.length)} of ${formatCount(n)} snapshots are drawn, of each span the one with the largest heap. `
    : "";
  const limit = run.limit_bytes
    ? `There is memory up to ${formatBytes(run.limit_bytes)}. ` : "No limit is known. ";
  const read = partsReadAt(run.timeline);
  const parts = read > 0 && read < t.length
    ? `The parts of the process were read at ${formatCount(read)} of the ${formatCount(t.length)} snapshots drawn, and are straight lines between. ` : "";
  return `${shown}${limit}${parts}Drag to zoom, double-click to see all. The shaded span from A to B is what the pictures below compare.`;
}

// At how many of the snapshots that are drawn.
function partsReadAt(timeline) {
  return (timeline.parts?.[0]?.bytes ?? []).filter((bytes) => bytes !== null).length;
}

function drawTimeline(figure, run, state) {
  for (const plot of figure.plots ?? []) plot.destroy();
  figure.replaceChildren();
  const width = Math.max(260, figure.clientWidth);
  const sync = uPlot.sync(`run-${run.pid}`);
  const plots = [processPlot(figure, run, state, width, sync)];
  if (isHeapSmall(run)) plots.push(heapPlot(figure, run, state, width, sync));
  if (Object.keys(run.timeline.work).length > 0) plots.push(workPlot(figure, run, width, sync));
  plots.forEach((plot) => sync.sub(plot));
  figure.plots = plots;
}

// Beside a resident set many times as large, the heap would be a flat line: it has a plot of its own.
function isHeapSmall(run) {
  return Math.max(...run.timeline.heap) * 3 < Math.max(...run.timeline.rss);
}

function processPlot(figure, run, state, width, sync) {
  const { t, heap, rss } = run.timeline;
  const parts = stackedParts(run.timeline);
  const highest = Math.max(1, ...rss, ...heap);
  const lines = [{ label: "resident set", values: rss, color: "--plot-rss" }];
  if (!isHeapSmall(run)) lines.push({ label: "recorded heap", values: heap, color: "--plot-heap", fill: parts.length === 0 });
  if (run.limit_bytes && run.limit_bytes <= FAR_LIMIT * highest) {
    lines.push({ label: "limit", values: t.map(() => run.limit_bytes), color: "--plot-limit", dash: [6, 4] });
  }
  const areas = parts.map((part) => ({
    values: part.top,
    series: {
      label: part.label, stroke: styleValue(part.color), fill: styleValue(part.color), width: 0.5, points: { show: false }, spanGaps: true,
      value: (_, __, ___, index) => bytesOrNothing(index === null ? null : part.own[index]),
    },
  }));
  return memoryPlot(figure, run, state, width, sync, [...areas, ...lines.map(lineSeries)]);
}

function heapPlot(figure, run, state, width, sync) {
  const line = { label: "recorded heap", values: run.timeline.heap, color: "--plot-heap", fill: true };
  return memoryPlot(figure, run, state, width, sync, [lineSeries(line)], HEAP_HEIGHT);
}

function lineSeries({ label, values, color, dash, fill }) {
  return {
    values,
    series: {
      label, stroke: styleValue(color), width: 2, dash, points: { show: values.length < 3 },
      fill: fill ? styleValue("--plot-heap-fill") : undefined, value: (_, y) => bytesOrNothing(y),
    },
  };
}

function bytesOrNothing(bytes) {
  return bytes === null || bytes === undefined ? "" : formatBytes(bytes);
}

function memoryPlot(figure, run, state, width, sync, drawn, height = PLOT_HEIGHT) {
  return new uPlot({
    width, height, series: [timeSeries(), ...drawn.map((it) => it.series)],
    scales: { x: { time: false }, y: { range: (_, min, max) => [0, Math.max(1, max * 1.05)] } },
    axes: [timeAxis(), valueAxis(formatBytes, BYTE_STEPS)],
    cursor: { sync: { key: sync.key } },
    hooks: { draw: [(plot) => shadeSpan(plot, run, state)] },
  }, [run.timeline.t, ...drawn.map((it) => it.values)], figure);
}

function timeSeries() {
  return { label: "time", value: (_, x) => (x === null ? "" : formatDuration(x)) };
}

// Areas that stand on each other; the topmost is drawn first.
function stackedParts(timeline) {
  const parts = (timeline.parts ?? []).filter((part) => part.bytes.some((bytes) => bytes > 0));
  let below = timeline.t.map(() => 0);
  const stacked = parts.map((part) => {
    const top = below.map((sum, index) => (part.bytes[index] === null ? null : sum + part.bytes[index]));
    below = top.map((sum, index) => (sum === null ? below[index] : sum));
    return { label: part.name, color: `--part-${part.name.replaceAll("_", "-")}`, own: part.bytes, top };
  });
  return stacked.reverse();
}

function workPlot(figure, run, width, sync) {
  const { t, work } = run.timeline;
  const series = [timeSeries()];
  const data = [t];
  Object.entries(work).forEach(([name, done], index) => {
    series.push({
      label: `${name}/s`, stroke: styleValue(`--plot-work-${index % 4}`), width: 1.5, points: { show: false },
      value: (_, y) => (y === null || y === undefined ? "" : formatSignificant(y)),
    });
    data.push(rates(t, done));
  });
  return new uPlot({
    width, height: WORK_HEIGHT, series,
    scales: { x: { time: false }, y: { range: (_, min, max) => [0, Math.max(1e-9, max * 1.1)] } },
    axes: [timeAxis(), valueAxis((y) => formatSignificant(y))],
    cursor: { sync: { key: sync.key } },
  }, data, figure);
}

function rates(t, done) {
  return t.map((seconds, index) => {
    if (index === 0) return null;
    const elapsed = seconds - t[index - 1];
    return elapsed > 0 ? (done[index] - done[index - 1]) / elapsed : null;
  });
}

function timeAxis() {
  return plotAxis({ values: (_, ticks) => ticks.map((x) => formatDuration(x)), space: 70 });
}

function valueAxis(format, steps) {
  return plotAxis({ values: (_, ticks) => ticks.map((y) => format(y)), size: 76, incrs: steps });
}

function plotAxis(own) {
  const grid = styleValue("--line");
  return { stroke: styleValue("--muted"), grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "12px system-ui", ...own };
}

function shadeSpan(plot, run, state) {
  const seconds = run.columns.t;
  if (seconds.length === 0) return;
  const [from, to] = [seconds[state.span.from], seconds[state.span.to]].map((x) => plot.valToPos(x, "x", true));
  const { left, top, width, height } = plot.bbox;
  const clip = (x) => Math.min(Math.max(x, left), left + width);
  const context = plot.ctx;
  context.save();
  context.fillStyle = styleValue("--span");
  context.fillRect(clip(from), top, clip(to) - clip(from), height);
  context.fillStyle = styleValue("--muted");
  context.font = `${12 * devicePixelRatio}px system-ui`;
  for (const [x, word, align] of [[from, "A", "left"], [to, "B", "right"]]) {
    if (x < left || x > left + width) continue;
    context.textAlign = align;
    context.fillText(word, x + (align === "left" ? 4 : -4), top + 14 * devicePixelRatio);
  }
  context.restore();
}

// Two sliders over the moments of the run, and what they stand for.
function spanControls(run, state, changed) {
  const last = Math.max(0, run.columns.seq.length - 1);
  const says = { from: make("output", {}), to: make("output", {}) };
  const sliders = {};
  const tell = () => {
    for (const end of ["from", "to"]) {
      const text = momentText(run, state.span[end]);
      says[end].textContent = text;
      sliders[end].setAttribute("aria-valuetext", text);
      sliders[end].value = String(state.span[end]);
    }
  };
  const slider = (end, label) => {
    sliders[end] = make("input", {
      type: "range", min: 0, max: last, step: 1, value: state.span[end], id: `span-${end}`,
      on: {
        input: () => {
          const value = Number(sliders[end].value);
          state.span = end === "from"
            ? { from: value, to: Math.max(value, state.span.to) }
            : { from: Math.min(value, state.span.from), to: value };
          tell();
          changed();
        },
      },
    });
    return make("div", { class: "span-end" }, make("label", { for: `span-${end}` }, label), sliders[end], says[end]);
  };
  const reset = make("button", {
    type: "button",
    on: { click: () => { state.span = defaultSpan(run); tell(); changed(); } },
  }, "Warm-up to end");
  const controls = make("div", { class: "span-controls", role: "group", "aria-label": "Two snapshots to compare" },
    slider("from", "A"), slider("to", "B"), reset);
  tell();
  return controls;
}

function momentText(run, column) {
  const { seq, t, judged } = run.columns;
  if (seq.length === 0) return "no snapshot";
  const exit = column >= judged ? ", at exit" : "";
  return `snapshot ${seq[column]} at ${formatDuration(t[column])}${exit}`;
}
