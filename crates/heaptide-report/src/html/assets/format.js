// Numbers as people read them: the same texts as the terminal and Markdown reports (src/number.rs).

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

function formatBytes(bytes) {
  let size = Math.abs(bytes);
  let unit = 0;
  while (size >= 1024 && unit < BYTE_UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  const digits = unit === 0 ? String(Math.round(size)) : size.toFixed(1);
  return `${bytes < 0 ? "-" : ""}${digits} ${BYTE_UNITS[unit]}`;
}

function formatCount(n) {
  const digits = String(Math.abs(Math.round(n)));
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, ",");
  return n < 0 ? `-${grouped}` : grouped;
}

function signed(n, format) {
  return n > 0 ? `+${format(n)}` : format(n);
}

// Three significant digits without trailing zeros.
function formatSignificant(x) {
  if (x === 0 || !Number.isFinite(x)) return String(x);
  const magnitude = Math.floor(Math.log10(Math.abs(x)));
  if (magnitude < -4 || magnitude > 3) return x.toExponential(1).replace("e+", "e");
  const fixed = x.toFixed(Math.max(0, 2 - magnitude));
  return fixed.includes(".") ? fixed.replace(/0+$/, "").replace(/\.$/, "") : fixed;
}

// `0.4 s`, `12 s`, `4m 10s`, `3h 5m`, `2d 4h`.
function formatDuration(seconds) {
  const whole = Math.floor(seconds);
  const two = (high, highUnit, low, lowUnit) =>
    low === 0 ? `${high}${highUnit}` : `${high}${highUnit} ${low}${lowUnit}`;
  if (whole < 10) return `${formatSignificant(Math.round(seconds * 10) / 10)} s`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), "m", whole % 60, "s");
  if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "m");
  return two(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
}

// A share of a whole: `34 %`, `0.4 %`.
function formatShare(part, whole) {
  if (!(whole > 0)) return "0 %";
  const percent = (100 * part) / whole;
  return `${percent >= 10 ? Math.round(percent) : formatSignificant(Math.round(percent * 10) / 10)} %`;
}
