// What the page is drawn with: elements, numbers in English, the chart of a distribution, cards.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const make = (tag, text, kind) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (kind) e.className = kind; return e; };
const words = name => name.replaceAll("_", " ");
const whole = n => n.toLocaleString("en");
const counted = (n, one, many = one + "s") => `${whole(n)} ${n === 1 ? one : many}`;
const digits = v => v === null || v === undefined ? "–" : Math.abs(v) >= 1000 ? whole(Math.round(v)) : String(+v.toPrecision(3));
const byName = Object.fromEntries(data.findings.map(f => [f.name, f]));
const parted = data.rows.some(r => r.split);
const colour = Object.fromEntries(data.classes.map(c => [c.name, c.colour]));
const dot = label => { const d = make("i", undefined, "dot"); d.style.background = colour[label] || "#888"; return d; };
const past = (finding, score, threshold) => { const s = Math.fround(score), t = Math.fround(threshold); return finding.above ? s > t : s < t; };

function copied(button, field, text) {
  const done = () => { const was = button.textContent; button.textContent = "Copied"; setTimeout(() => { button.textContent = was; }, 1500); };
  const old = () => { const area = field || document.body.appendChild(make("textarea")); area.value = text; area.select(); document.execCommand("copy"); if (!field) area.remove(); done(); };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, old); else old();
}

// The distribution of a finding's score: bars, thresholds, and a slider that moves the finding's own.
const moved = Object.fromEntries(data.findings.filter(f => f.spread).map(f => [f.name, f.spread.at]));
const threshold = f => f.spread ? f.spread.stops[moved[f.name]] : f.threshold;
function spread(finding, changed) {
  const s = finding.spread, box = make("div", undefined, "spread"), NS = "http://www.w3.org/2000/svg", W = 1000, H = 100;
  const svg = document.createElementNS(NS, "svg"), plot = make("div", undefined, "plot");
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
  const put = (tag, attributes) => { const e = document.createElementNS(NS, tag); for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v); svg.append(e); return e; };
  const x = value => W * (value - s.low) / (s.high - s.low), step = (s.high - s.low) / s.bars.length, top = Math.max(...s.bars);
  // Heights by the square root: what a threshold finds is one row in a thousand, and would not be seen beside the rest.
  const bars = s.bars.map((n, i) => put("rect", { x: i * W / s.bars.length + 1, width: W / s.bars.length - 2, y: H - H * Math.sqrt(n / top), height: H * Math.sqrt(n / top) }));
  for (const other of data.findings) if (other !== finding && other.spread && other.spread.axis === s.axis && other.threshold > s.low && other.threshold < s.high) put("line", { x1: x(other.threshold), x2: x(other.threshold), y1: 0, y2: H, class: "other", "vector-effect": "non-scaling-stroke" });
  const line = put("line", { y1: -4, y2: H, "vector-effect": "non-scaling-stroke" });
  const slider = make("input"), axis = make("div", undefined, "axis"), says = make("output");
  slider.type = "range"; slider.min = s.low; slider.max = s.high; slider.step = "any"; slider.setAttribute("aria-label", `Threshold of ${words(finding.name)}`);
  axis.append(make("span", +s.low.toPrecision(2)), make("span", `${s.axis} (bar height: √ rows)`), make("span", +s.high.toPrecision(2)));
  const nearest = v => s.stops.reduce((best, stop, i) => Math.abs(stop - v) < Math.abs(s.stops[best] - v) ? i : best, 0);
  function show() {
    const at = moved[finding.name], value = s.stops[at];
    slider.value = value; slider.setAttribute("aria-valuetext", `${value}: ${counted(s.found[at], "row")}`);
    line.setAttribute("x1", x(value)); line.setAttribute("x2", x(value));
    bars.forEach((bar, i) => { const middle = s.low + (i + .5) * step; bar.classList.toggle("hit", finding.above ? middle > value : middle < value); });
    says.replaceChildren(`${whole(s.found[at])} of ${counted(finding.of, "row")} ${finding.above ? "above" : "below"} ${value}`);
    if (at === s.at) return;
    const option = `--threshold ${finding.name}=${value}`, keep = make("button", "Copy"), back = make("button", "Reset");
    keep.type = back.type = "button";
    keep.addEventListener("click", () => copied(keep, null, option));
    back.addEventListener("click", () => { moved[finding.name] = s.at; show(); changed(); });
    says.append(` (audited: ${whole(s.found[s.at])} at ${s.stops[s.at]}). To keep it, add to ferdata audit: `, make("code", option), keep, back);
  }
  slider.addEventListener("input", () => { moved[finding.name] = nearest(+slider.value); show(); changed(); });
  slider.addEventListener("keydown", e => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[e.key];
    if (!by) return;
    e.preventDefault(); moved[finding.name] = Math.min(s.stops.length - 1, Math.max(0, moved[finding.name] + by)); show(); changed();
  });
  plot.append(svg); box.append(plot, slider, axis, says); show(); return box;
}

// One row as a card; `open` is called with it when its picture is clicked.
function card(row, finding, note, open) {
  const li = make("li"), box = make("article", undefined, "card"), face = make(row.picture ? "button" : "div", undefined, "face");
  if (row.picture) {
    const img = make("img"); img.src = row.picture; img.loading = "lazy"; img.alt = `${row.label || "no label"}, ${row.id}`;
    face.type = "button"; face.title = "Enlarge"; face.append(img); face.addEventListener("click", () => open(row));
  } else face.append(make("span", row.picture === "" ? "cannot be read" : "no picture on this page"));
  const dl = make("dl"), label = make("div", undefined, "label");
  if (row.label) label.append(dot(row.label));
  label.append(row.label || "no label");
  if (row.predicted && row.predicted !== row.label) label.append(make("span", " → " + row.predicted, "predicted"));
  dl.append(label, make("div", row.dataset + (parted ? " · " + (row.split || "no split") : "")));
  if (row.quality !== null) { const m = make("div", undefined, "meter"), i = make("i"); i.style.width = 100 * row.quality + "%"; m.append(i); m.title = "label quality " + digits(row.quality); m.setAttribute("role", "meter"); m.setAttribute("aria-label", "label quality"); m.setAttribute("aria-valuemin", "0"); m.setAttribute("aria-valuemax", "1"); m.setAttribute("aria-valuenow", String(row.quality)); dl.append(m); }
  const names = Object.keys(row.found).filter(n => !byName[n].groups || n !== finding).sort((a, b) => (b === finding) - (a === finding));
  const id = make("div", row.id.slice(row.id.indexOf(":") + 1), "id"); id.title = row.id;
  dl.append(make("div", note || names.map(n => words(n) + (byName[n].spread ? " " + digits(row.found[n]) : "")).join(" · "), "why"), id);
  box.append(face, dl); li.append(box); return li;
}
function strip(rows, finding, open, note = () => "") { const ul = make("ul", undefined, "cards"); ul.append(...rows.map((r, i) => card(r, finding, note(i), open))); return ul; }
