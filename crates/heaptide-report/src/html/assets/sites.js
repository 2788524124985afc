// All call sites: sorted, filtered, and one at a time in detail.

const ROWS_AT_FIRST = 50;
const ROWS_MORE = 200;

function sitesSection(run, state, changed) {
  const filter = state.filter;
  const body = make("tbody", {});
  const count = make("p", { class: "muted", role: "status" });
  const more = make("button", { type: "button", class: "more", on: { click: () => { state.rows += ROWS_MORE; draw(); } } }, "Show more");
  const detail = make("div", { class: "detail" });
  const head = make("tr", {}, SITE_COLUMNS.map((column) => sortHeader(column, filter, () => draw())));

  const draw = () => {
    for (const header of head.children) header.tell();
    const chosen = chosenSites(run, filter, state.span);
    const shown = chosen.slice(0, state.rows);
    body.replaceChildren(...shown.map((site) => siteRow(run, site, state, () => { state.site = site.id; changed(); })));
    const others = run.n_other_sites > 0
      ? ` The ${formatCount(run.n_other_sites)} smallest are left out; they hold ${formatBytes(siteAt(run.others, state.span.to, "bytes"))} at B.` : "";
    count.textContent = `${formatCount(chosen.length)} of ${formatCount(run.sites.length)} call sites${shown.length < chosen.length ? `, ${formatCount(shown.length)} shown` : ""}.${others}`;
    more.hidden = shown.length >= chosen.length;
    replaceChildren(detail, siteDetail(run, run.siteById.get(state.site)));
  };

  const text = make("input", {
    type: "search", id: "site-filter", placeholder: "function, file, tag or id", value: filter.text, autocomplete: "off",
    on: { input: () => { filter.text = text.value; state.rows = ROWS_AT_FIRST; draw(); } },
  });
  const own = make("input", {
    type: "checkbox", id: "own-only", checked: filter.ownOnly,
    on: { change: () => { filter.ownOnly = own.checked; draw(); } },
  });
  const chips = CLASSES.filter((word) => run.classes[word]).map((word) => classChip(word, run.classes[word], filter, draw));
  const section = make("section", { class: "card", "aria-labelledby": "sites-title", id: "sites" },
    make("h2", { id: "sites-title" }, "Call sites"),
    make("div", { class: "controls" },
      make("span", { class: "control" }, make("label", { for: "site-filter" }, "find"), text),
      make("span", { class: "control" }, own, make("label", { for: "own-only" }, "only your code")),
      make("span", { class: "chips", role: "group", "aria-label": "Classes shown" }, chips)),
    count,
    make("div", { class: "table-frame", tabindex: 0, role: "region", "aria-label": "Table of call sites" },
      make("table", { class: "sites" }, make("thead", {}, head), body)),
    more, detail);
  section.draw = draw;
  return section;
}

function sortHeader(column, filter, draw) {
  const button = make("button", { type: "button", on: { click: () => {
    filter.descending = filter.sort === column.id ? !filter.descending : !column.isText;
    filter.sort = column.id;
    draw();
  } } }, column.label);
  const header = make("th", { scope: "col", class: column.isText ? "" : "number" }, button);
  header.tell = () => {
    if (filter.sort === column.id) header.setAttribute("aria-sort", filter.descending ? "descending" : "ascending");
    else header.removeAttribute("aria-sort");
  };
  return header;
}

function classChip(word, n, filter, draw) {
  const chip = make("button", { type: "button", class: `chip class-${word}`, "aria-pressed": String(filter.classes.has(word)), on: { click: () => {
    if (!filter.classes.delete(word)) filter.classes.add(word);
    chip.setAttribute("aria-pressed", String(filter.classes.has(word)));
    draw();
  } } }, `${formatCount(n)} ${word}`);
  return chip;
}

function siteRow(run, site, state, select) {
  const growth = siteGrowth(site, state.span, "bytes");
  const name = make("button", { type: "button", class: "link", "aria-expanded": String(site.id === state.site), on: { click: select } }, site.name);
  return make("tr", { class: site.id === state.site ? "selected" : "" },
    make("td", {}, classBadge(site.class)),
    make("td", { class: "site-name" }, name, site.tag ? make("span", { class: "tag" }, site.tag) : null,
      site.place ? make("div", { class: "place" }, site.place) : null),
    make("td", { class: "number" }, formatBytes(siteAt(site, state.span.to, "bytes"))),
    make("td", { class: `number ${growth > 0 ? "up" : ""}` }, signed(growth, formatBytes)),
    make("td", { class: "number" }, formatCount(siteAt(site, state.span.to, "objects"))),
    make("td", { class: "number" }, formatCount(site.allocs)),
    make("td", { class: "number" }, formatCount(site.frees)));
}

function classBadge(word) {
  return make("span", { class: `badge class-${word}` }, word);
}

function siteDetail(run, site) {
  if (!site) return make("p", { class: "muted" }, "Select a call site to see its stack.");
  return make("div", {},
    make("h3", {}, site.name, " ", classBadge(site.class)),
    make("p", { class: "muted" }, `site ${site.id}${site.tag ? `, tagged ${site.tag}` : ""}`),
    stackList(run, site.stack, shownFrames(run, site, "own").reverse()),
    make("details", {}, make("summary", {}, `All ${formatCount(site.stack.length)} frames`), stackList(run, site.stack)));
}

// The frames of a stack, innermost first; of a long one, those that are given.
function stackList(run, stack, frames = stack.map((index) => run.frames[index])) {
  return make("ol", { class: "stack" }, frames.map((frame) => {
    const place = framePlace(run, frame);
    const link = frameLink(run, frame);
    return make("li", { class: `origin-${ORIGIN_WORDS[frame[3]]}` }, make("span", { class: "function" }, frameName(run, frame)),
      place ? make("span", { class: "place" }, link ? make("a", { href: link, rel: "noreferrer" }, place) : place) : null);
  }));
}
