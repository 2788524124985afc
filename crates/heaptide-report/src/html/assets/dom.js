// Elements from values. Text is only ever text: what a recording says cannot become an element, an
// attribute that acts, or a link to anything but https.

// Attributes that a caller may set; all others are refused, so that no `onclick` can slip in.
const PLAIN_ATTRIBUTES = new Set([
  "class", "id", "for", "type", "role", "title", "tabindex", "value", "min", "max", "step", "name",
  "placeholder", "scope", "lang", "colspan", "open", "checked", "selected", "disabled", "hidden",
  "rel", "target", "autocomplete", "spellcheck", "viewBox",
]);

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "href") {
      if (isSafeLink(value)) element.setAttribute("href", value);
    } else if (name.startsWith("aria-") || name.startsWith("data-") || PLAIN_ATTRIBUTES.has(name)) {
      element.setAttribute(name, value === true ? "" : revealed(String(value)));
    } else {
      throw new Error(`no attribute of ours: ${name}`);
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(revealed(String(child))));
  }
}

// Characters that nobody can see, or that move what stands beside them, are spelt out, as in the
// other outputs (src/escape).
function revealed(text) {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (hidden) => `\\u{${hidden.codePointAt(0).toString(16)}}`);
}

function replaceChildren(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

function isSafeLink(href) {
  return typeof href === "string" && (href.startsWith("https://") || href.startsWith("#"));
}

// A colour or a font of the style sheet, for what is drawn on a canvas.
function styleValue(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// A canvas that is sharp on any screen; `draw` gets its context and its size in CSS pixels.
function drawOnCanvas(canvas, width, height, draw) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  draw(context, width, height);
}
