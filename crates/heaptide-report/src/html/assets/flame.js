// The flame graph and the icicle: who called, and how much of the memory each call answers for.

const FRAME_HEIGHT = 19;
// Narrower boxes could be neither seen nor hit.
const LEAST_SHARE = 0.0015;
const MOST_BOXES = 2500;

function flameSection(run, state) {
  const flame = state.flame;
  const picture = make("div", { class: "flame", role: "tree", "aria-label": "Call tree" });
  const says = make("p", { class: "readout" });
  const about = make("p", { class: "muted" });
  let root = null;
  let zoomed = null;

  const redraw = () => {
    const measure = MEASURES[flame.measure];
    about.textContent = `Width: ${measure.about}, in ${flame.unit}.`;
    root = callTree(run, run.sites, measure, state.span, flame.unit, flame.frames);
    zoomed = sameNode(root, zoomed);
    draw();
  };
  const draw = () => {
    drawFlame(picture, run, root, zoomed, flame, zoom, tell);
    tell(null);
  };
  const zoom = (node) => {
    zoomed = node;
    draw();
    picture.querySelector('[tabindex="0"]')?.focus();
  };
  const tell = (node) => { says.textContent = node ? nodeSentence(run, node, root, flame) : flameSummary(root, flame); };

  const choice = (id, label, options, key) => {
    const select = make("select", { id, on: { change: () => { flame[key] = select.value; redraw(); } } },
      options.map(([value, text]) => make("option", { value, selected: flame[key] === value }, text)));
    return make("span", { class: "control" }, make("label", { for: id }, label), select);
  };
  const search = make("input", {
    type: "search", id: "flame-search", placeholder: "function", value: flame.search, autocomplete: "off",
    on: { input: () => { flame.search = search.value; draw(); } },
  });
  const section = make("section", { class: "card", "aria-labelledby": "flame-title", id: "flame" },
    make("h2", { id: "flame-title" }, "Call tree"),
    make("div", { class: "controls" },
      choice("flame-measure", "shows", Object.entries(MEASURES).map(([id, measure]) => [id, measure.label]), "measure"),
      choice("flame-unit", "in", [["bytes", "bytes"], ["objects", "objects"]], "unit"),
      choice("flame-frames", "frames", [["own", "yours"], ["all", "all"]], "frames"),
      choice("flame-shape", "as", [["icicle", "icicle"], ["flame", "flame graph"]], "shape"),
      make("span", { class: "control" }, make("label", { for: "flame-search" }, "find"), search),
      make("button", { type: "button", on: { click: () => zoom(root) } }, "Show all")),
    about, picture, says);
  section.draw = redraw;
  return section;
}

// The same call in a tree that was built anew; the nearest caller that is still there, else the root.
function sameNode(root, old) {
  const path = [];
  for (let node = old; node?.parent; node = node.parent) path.unshift(node.name);
  let node = root;
  for (const name of path) {
    const child = node.children.get(name);
    if (!child) break;
    node = child;
  }
  return node;
}

function drawFlame(picture, run, root, zoomed, flame, zoom, tell) {
  if (!(root.width > 0)) {
    replaceChildren(picture, make("p", { class: "empty" }, "Nothing to show for this span."));
    picture.style.height = "";
    return;
  }
  const boxes = layOut(zoomed, LEAST_SHARE, MOST_BOXES);
  const depths = Math.max(...boxes.map((box) => box.depth)) + 1;
  const matches = flame.search.trim() ? matcher(flame.search) : null;
  const change = Math.max(1, ...boxes.map((box) => Math.abs(box.node.change) / Math.max(1, box.node.width)));
  picture.style.height = `${depths * FRAME_HEIGHT}px`;
  picture.replaceChildren(...boxes.map((box) => {
    const row = flame.shape === "flame" ? depths - 1 - box.depth : box.depth;
    const { node } = box;
    const element = make("div", {
      class: boxClass(node, box, flame, matches), role: "treeitem", tabindex: node === zoomed ? 0 : -1,
      "aria-level": box.depth + 1, "aria-label": nodeSentence(run, node, root, flame),
      "aria-expanded": node.children.size > 0 ? String(!box.isAncestor || true) : undefined,
      on: {
        click: () => zoom(node),
        mouseenter: () => tell(node),
        mouseleave: () => tell(null),
        focus: () => tell(node),
        keydown: (event) => moveInTree(event, picture, boxes, box, root, zoom),
      },
    }, box.share > 0.015 ? make("span", {}, node.parent ? shortName(node.name) : "all") : null);
    element.style.left = `${100 * box.left}%`;
    element.style.width = `${100 * box.share}%`;
    element.style.top = `${row * FRAME_HEIGHT}px`;
    if (flame.measure === "difference" && node.width > 0) {
      element.style.setProperty("--strength", String(Math.min(1, Math.abs(node.change) / node.width / change)));
    }
    box.element = element;
    return element;
  }));
}

function boxClass(node, box, flame, matches) {
  const classes = ["box"];
  if (flame.measure === "difference") {
    classes.push(node.change > 0 ? "grew" : node.change < 0 ? "shrank" : "same");
  } else {
    classes.push(`origin-${node.frame ? ORIGIN_WORDS[node.frame[3]] : "all"}`);
  }
  if (box.isAncestor) classes.push("ancestor");
  if (matches && node.parent) classes.push(matches(node.name) ? "found" : "faded");
  return classes.join(" ");
}

// Arrows go where the eye goes: to the caller, the widest call, the neighbours on the row.
function moveInTree(event, picture, boxes, box, root, zoom) {
  const row = boxes.filter((other) => other.depth === box.depth).sort((a, b) => a.left - b.left);
  const beside = (step) => row[row.indexOf(box) + step];
  const caller = () => boxes.find((other) => other.node === box.node.parent);
  const call = () => boxes.find((other) => other.node.parent === box.node);
  const keys = {
    ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), ArrowUp: caller, ArrowDown: call,
    Home: () => boxes[0], End: () => boxes.at(-1),
  };
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    zoom(box.node);
  } else if (event.key === "Escape") {
    event.preventDefault();
    zoom(root);
  } else if (keys[event.key]) {
    event.preventDefault();
    const next = keys[event.key]();
    if (!next) return;
    box.element.tabIndex = -1;
    next.element.tabIndex = 0;
    next.element.focus();
  }
}

function nodeSentence(run, node, root, flame) {
  const size = flame.unit === "objects" ? formatCount : formatBytes;
  const share = formatShare(node.width, root.width);
  const place = node.frame ? framePlace(run, node.frame) : "";
  const change = flame.measure === "difference" ? `, ${signed(node.change, size)} since A` : "";
  return `${node.parent ? node.name : "all"}: ${size(node.width)} (${share})${change}${place ? ` at ${place}` : ""}`;
}

function flameSummary(root, flame) {
  const size = flame.unit === "objects" ? formatCount : formatBytes;
  if (!flame.search.trim()) return `${size(root.width)} in all. Select a call to zoom; arrow keys move, Escape shows all.`;
  const found = matchedWidth(root, matcher(flame.search));
  return `“${flame.search.trim()}” is on ${formatShare(found, root.width)} of it (${size(found)}).`;
}

// The last two parts of a path: what is left of it must fit into a box.
function shortName(name) {
  const plain = name.replace(/<.*$/, (generic) => (name.startsWith("<") ? generic : ""));
  const parts = plain.split("::");
  return parts.length > 2 ? parts.slice(-2).join("::") : plain;
}
