// The data of a page, unpacked: series are written as differences, because most sites do not change.

function decodeRun(raw) {
  const run = { ...raw };
  run.sites = raw.sites.map((site, index) => ({
    ...site,
    index,
    objects: undelta(site.objects),
    bytes: undelta(site.bytes),
  }));
  run.others = raw.others && {
    ...raw.others, objects: undelta(raw.others.objects), bytes: undelta(raw.others.bytes),
  };
  run.siteById = new Map(run.sites.map((site) => [site.id, site]));
  return run;
}

function undelta(differences) {
  const values = new Float64Array(differences.length);
  let value = 0;
  differences.forEach((difference, index) => {
    value += difference;
    values[index] = value;
  });
  return values;
}

// The span a reader looks at first: from the end of warm-up to the last judged snapshot.
function defaultSpan(run) {
  const last = Math.max(0, run.columns.judged - 1);
  return { from: Math.min(Math.max(0, run.columns.warm_up - 1), last), to: last };
}

// A span keeps pointing at the same snapshots when a recording has grown.
function spanInRange(span, run) {
  const last = Math.max(0, run.columns.seq.length - 1);
  const to = Math.min(Math.max(0, span.to), last);
  return { from: Math.min(Math.max(0, span.from), to), to };
}

function siteAt(site, column, unit) {
  const values = unit === "objects" ? site.objects : site.bytes;
  return values.length > column ? values[column] : 0;
}

function siteGrowth(site, span, unit) {
  return siteAt(site, span.to, unit) - siteAt(site, span.from, unit);
}

// What was born in the span and is still alive at the last judged snapshot.
function siteSurvivors(site, span, unit) {
  let sum = 0;
  for (const [column, objects, bytes] of site.survivors) {
    if (column > span.from && column <= span.to) sum += unit === "objects" ? objects : bytes;
  }
  return sum;
}

// What a flame graph shows: how wide a site is, and by how much it grew.
const MEASURES = {
  live: {
    label: "live at B",
    about: "what is alive at B",
    width: (site, span, unit) => siteAt(site, span.to, unit),
  },
  growth: {
    label: "growth from A to B",
    about: "what sites that grew hold more at B than at A",
    width: (site, span, unit) => Math.max(0, siteGrowth(site, span, unit)),
  },
  survivors: {
    label: "old survivors",
    about: "what was born between A and B and is still alive at the end",
    width: siteSurvivors,
  },
  difference: {
    label: "difference A to B",
    about: "what is alive at B, red where it grew since A, blue where it shrank",
    width: (site, span, unit) => siteAt(site, span.to, unit),
    change: siteGrowth,
  },
};

// The frames of a site that are shown, outermost first. `own` leaves out the runtime between the
// user's functions, and keeps the call that allocates.
function shownFrames(run, site, which) {
  const frames = site.stack.map((index) => run.frames[index]);
  if (which !== "own") return frames.reverse();
  const own = frames.filter((frame) => frame[3] === OWN);
  const outsideStd = frames.filter((frame) => frame[3] !== STD);
  if (own.length === 0) return firstOfEachCrate(run, outsideStd.reverse());
  const allocating = outsideStd[0];
  const shown = allocating[3] === OWN ? own : [allocating, ...own];
  return shown.reverse();
}

// Runtimes call themselves forty times in a row: where none of the frames is the user's, the first of
// each run through a crate is enough to see who is at work.
function firstOfEachCrate(run, frames) {
  const crate = (frame) => frameName(run, frame).replace(/^[<&]+/, "").split("::")[0];
  const last = frames.length - 1;
  return frames.filter((frame, index) => index === 0 || index === last || crate(frame) !== crate(frames[index - 1]));
}

// Whose code a frame is, as the data numbers it.
const OWN = 0;
const THEIRS = 1;
const STD = 2;
const ORIGIN_WORDS = ["own", "dependency", "std", "unknown"];

function frameName(run, frame) {
  return run.names[frame[0]];
}

function framePlace(run, frame) {
  if (frame[1] < 0) return "";
  const shown = run.files[frame[1]][0];
  return frame[2] ? `${shown}:${frame[2]}` : shown;
}

// The line on the forge, where it is known.
function frameLink(run, frame) {
  const link = frame[1] < 0 ? null : run.files[frame[1]][1];
  return link && frame[2] ? `${link}${run.line_anchor}${frame[2]}` : link;
}

// A call tree of sites: each node has the width of all below it, and how much that grew.
function callTree(run, sites, measure, span, unit, which) {
  const root = newNode("all", null);
  for (const site of sites) {
    const width = measure.width(site, span, unit);
    if (!(width > 0)) continue;
    const change = measure.change ? measure.change(site, span, unit) : 0;
    let node = root;
    root.width += width;
    root.change += change;
    for (const frame of shownFrames(run, site, which)) {
      const name = frameName(run, frame);
      let child = node.children.get(name);
      if (!child) {
        child = newNode(name, frame);
        child.parent = node;
        node.children.set(name, child);
      }
      child.width += width;
      child.change += change;
      node = child;
    }
    node.sites.push(site);
  }
  return root;
}

function newNode(name, frame) {
  return { name, frame, width: 0, change: 0, children: new Map(), parent: null, sites: [] };
}

// Rectangles of a tree below `top`, as shares of its width; what is narrower than `least` is left out.
function layOut(top, least, most) {
  const boxes = [];
  const ancestors = [];
  for (let node = top.parent; node; node = node.parent) ancestors.unshift(node);
  ancestors.forEach((node, depth) => boxes.push({ node, depth, left: 0, share: 1, isAncestor: true }));
  const place = (node, depth, left, share) => {
    if (boxes.length >= most) return;
    boxes.push({ node, depth, left, share, isAncestor: false });
    const children = [...node.children.values()].sort((a, b) => b.width - a.width || (a.name < b.name ? -1 : 1));
    let at = left;
    for (const child of children) {
      const childShare = top.width > 0 ? child.width / top.width : 0;
      if (childShare >= least) place(child, depth + 1, at, childShare);
      at += childShare;
    }
  };
  place(top, ancestors.length, 0, 1);
  return boxes;
}

// The share of the tree under frames that match, each counted once.
function matchedWidth(node, matches) {
  if (node.parent && matches(node.name)) return node.width;
  let sum = 0;
  for (const child of node.children.values()) sum += matchedWidth(child, matches);
  return sum;
}

// A search as people type it: every word must occur, upper and lower case alike.
function matcher(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (name) => {
    const lower = name.toLowerCase();
    return words.length > 0 && words.every((word) => lower.includes(word));
  };
}

// Sites that pass the filters, in the order asked for.
function chosenSites(run, filter, span) {
  const matches = filter.text.trim() ? matcher(filter.text) : () => true;
  const chosen = run.sites.filter((site) =>
    (filter.classes.size === 0 || filter.classes.has(site.class))
    && (!filter.ownOnly || site.is_own)
    && matches(`${site.name} ${site.place ?? ""} ${site.tag ?? ""} ${site.id}`));
  const key = SITE_COLUMNS.find((column) => column.id === filter.sort).key;
  const direction = filter.descending ? -1 : 1;
  const keys = new Map(chosen.map((site) => [site, key(site, span)]));
  return chosen.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x === y) return a.index - b.index;
    return (x < y ? -1 : 1) * direction;
  });
}

// Classes as the verdict orders them, worst first.
const CLASSES = ["leak", "suspect", "saturating", "settled", "turnover", "one-off", "load", "stable"];

const SITE_COLUMNS = [
  { id: "class", label: "class", key: (site) => CLASSES.indexOf(site.class), isText: true },
  { id: "name", label: "function", key: (site) => site.name, isText: true },
  { id: "bytes", label: "live bytes at B", key: (site, span) => siteAt(site, span.to, "bytes") },
  { id: "growth", label: "growth A to B", key: (site, span) => siteGrowth(site, span, "bytes") },
  { id: "objects", label: "live objects at B", key: (site, span) => siteAt(site, span.to, "objects") },
  { id: "allocs", label: "allocated", key: (site) => site.allocs },
  { id: "frees", label: "freed", key: (site) => site.frees },
];
