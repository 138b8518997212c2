// The page: which view the address names, what of it the filters leave, and what leads on from there.
const STEP = 120;
const COPIES = { name: "copies", groups: data.copies.groups, count: data.copies.count, of_groups: data.copies.of_groups, meaning: "One picture in several rows is no fault in itself. It is one on two sides of a split (leak), or under two labels (conflict).", found: {} };
const VIEWS = { distributions: "Distributions", classes: "Classes and outliers", ...(COPIES.count ? { copies: "Copies" } : {}) };
const inRows = f => f.rows && f.rows.length > 0 || f.groups && f.groups.length > 0;
const first = data.findings.find(f => f.count && inRows(f)) || data.findings.find(f => f.count);
let limit = STEP, opened = [], at = 0;

document.title = "Audit of " + data.title;
$("title").textContent = document.title;
for (const [name, value] of Object.entries(data.facts)) { const span = make("span", name + " "); span.append(make("b", value)); $("facts").append(span); }

const theme = $("theme"), prefers = matchMedia("(prefers-color-scheme: dark)");
function paint(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  theme.textContent = dark ? "Light" : "Dark"; theme.setAttribute("aria-pressed", String(dark));
}
paint(prefers.matches);
prefers.addEventListener("change", e => paint(e.matches));
theme.addEventListener("click", () => paint(document.documentElement.dataset.theme !== "dark"));

// The list of views: the gravest finding first; what found nothing, and what nobody looked for, folded away.
function entry(name, text, count) {
  const a = make("a", text); a.href = "#" + name;
  if (count !== undefined) a.append(make("i", whole(count), name in byName && count ? "bad" : ""));
  return a;
}
function folded(title, findings, text) {
  const box = make("details"); box.append(make("summary", title), ...findings.map(text)); return findings.length ? [box] : [];
}
const checked = data.findings.filter(f => f.of), hits = checked.filter(f => f.count), clean = checked.filter(f => !f.count), unmade = data.findings.filter(f => !f.of);
const NEEDS = { predictions: "--fit or --predictions", detector: "--detect", votes: "votes", pixels: "--pixels" };
$("nav").append(
  make("h3", hits.length ? "Findings, the gravest first" : "No findings"), ...hits.map(f => entry(f.name, words(f.name), f.count)),
  make("h3", "Overview"), ...Object.entries(VIEWS).map(([name, text]) => entry(name, text, name === "copies" ? data.copies.count : undefined)),
  ...folded(`${counted(clean.length, "check")} found nothing`, clean, f => entry(f.name, words(f.name), 0)),
  ...folded(`${counted(unmade.length, "check")} not made`, unmade, f => make("p", `${words(f.name)}: needs ${NEEDS[f.owner] || "columns that are empty here"}`)),
);

// Filters.
const fill = (id, all, values) => $(id).replaceChildren(...[["", all], ...values.map(v => [v, v])].map(([v, t]) => { const o = make("option", t); o.value = v; return o; }));
const kinds = name => [...new Set(data.rows.map(r => r[name]))].sort().filter(Boolean);
fill("label", "every label", kinds("label")); fill("dataset", "every dataset", kinds("dataset")); fill("split", "every split", kinds("split"));
for (const [v, t] of [["worst", "worst first"], ["mild", "mildest first"], ["quality", "label quality"], ["id", "sample id"], ["many", "most findings"]]) { const o = make("option", t); o.value = v; $("order").append(o); }
const fits = row => ["label", "dataset", "split"].every(k => !$(k).value || row[k] === $(k).value) && row.id.toLowerCase().includes($("search").value.trim().toLowerCase());

let viewing = "";
const named = () => decodeURIComponent(location.hash.slice(1)) || (first ? first.name : "distributions");
const finding = () => viewing === "copies" ? COPIES : byName[viewing];

// The rows that the filters and the threshold leave, in order, with the number of their group where they stand in one.
function left(f) {
  if (f.groups) return f.groups.flatMap((g, i) => g.rows.some(r => fits(data.rows[r])) ? g.rows.map(r => ({ row: data.rows[r], group: i + 1 })) : []);
  const rows = f.rows.map((r, i) => ({ row: data.rows[r], score: f.scores[i] })).filter(e => (!f.spread || past(f, e.score, threshold(f))) && fits(e.row));
  const many = e => -Object.keys(e.row.found).length, compare = {
    worst: () => 0, mild: () => 0, quality: (a, b) => (a.row.quality ?? 2) - (b.row.quality ?? 2),
    id: (a, b) => a.row.id.localeCompare(b.row.id, "en", { numeric: true }), many: (a, b) => many(a) - many(b),
  }[$("order").value];
  rows.sort(compare);
  return $("order").value === "mild" ? rows.reverse() : rows;
}

function cards() {
  const f = finding(), entries = left(f);
  if (f.groups) {
    const numbers = [...new Set(entries.map(e => e.group))], seen = numbers.filter(n => f.groups[n - 1].seen);
    opened = seen.flatMap(n => f.groups[n - 1].rows.slice(0, f.groups[n - 1].seen).map(r => data.rows[r]));
    const box = make("div", undefined, "groups"); box.append(...seen.slice(0, limit / 2).map(n => grouped(f, n)));
    $("cards").replaceChildren(box); $("more").hidden = seen.length <= limit / 2;
    $("shown").textContent = `${counted(numbers.length, "group")}, ${counted(entries.length, "row")}` + (seen.length < numbers.length ? `; pictures of the first ${whole(seen.length)}` : "") + (f.groups.length < f.of_groups ? `; of ${counted(f.of_groups, "group")} in all` : "");
  } else {
    const seen = entries.filter(e => e.row.picture !== null), total = f.spread ? f.spread.found[moved[f.name]] : f.count;
    opened = seen.map(e => e.row).filter(r => r.picture);
    $("cards").replaceChildren(strip(seen.slice(0, limit).map(e => e.row), f.name, enlarge, i => seen[i].row.found[f.name] === undefined ? `${words(f.name)} ${digits(seen[i].score)}` : ""));
    $("more").hidden = seen.length <= limit;
    if (!entries.length && f.spread) $("cards").replaceChildren(make("p", "No row here. Move the threshold to see those next to it.", "soft"));
    const known = f.rows.filter((r, i) => !f.spread || past(f, f.scores[i], threshold(f))).length;
    $("shown").textContent = counted(entries.length, "row") + (known < total ? `, ${entries.length < known ? "among " : ""}the worst ${entries.length < known ? whole(known) + " " : ""}of ${whole(total)}` : "") + (seen.length < entries.length ? `; ${whole(seen.length)} with a picture here` : "");
  }
  handOn(f, entries);
}
function grouped(f, number) {
  const g = f.groups[number - 1], box = make("section", undefined, "group"), rows = g.rows.map(r => data.rows[r]), head = make("h3");
  const both = name => [...new Set(rows.map(r => r[name]).filter(Boolean))];
  head.append(make("b", (f.name === "leak" ? both("split") : both("label")).join(" / ") || "no label"), ` · ${g.why} · ${counted(g.size, "row")}` + (g.seen < g.size ? `, ${whole(g.seen)} shown` : ""));
  box.append(head, strip(rows.slice(0, g.seen), f.name, enlarge)); return box;
}

// What leads on: the filtered rows as CSV, and the command that opens them for review.
const cell = v => { const t = v === null || v === undefined ? "" : String(v); return /[",\n\r]/.test(t) ? `"${t.replaceAll('"', '""')}"` : t; };
function csv(f, entries) {
  const head = ["sample_id", "dataset", "split", "label", "predicted", "label_quality", "finding", "score", "group"];
  const line = e => [e.row.id, e.row.dataset, e.row.split, e.row.label, e.row.predicted, e.row.quality, f.name, e.score ?? e.row.found[f.name], e.group];
  return "\ufeff" + [head, ...entries.map(line)].map(cells => cells.map(cell).join(",") + "\r\n").join("");
}
const sheet = f => `${data.title.replace(/\.parquet$/, "")}-${f.name}.csv`;
const quoted = text => /^[\w./\\:-]+$/.test(text) ? text : `"${text}"`;
function handOn(f, entries) {
  $("next").hidden = !entries.length;
  $("csv").textContent = `Download ${counted(entries.length, "id")} as CSV`;
  $("command").value = `ferdata review ${quoted(data.manifest)} --ids ${quoted(sheet(f))}`;
}
$("csv").addEventListener("click", event => {
  event.preventDefault();
  const link = make("a"), f = finding();
  link.href = URL.createObjectURL(new Blob([csv(f, left(f))], { type: "text/csv" })); link.download = sheet(f); link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
$("copy").addEventListener("click", () => copied($("copy"), $("command"), $("command").value));

// A picture as large as the page holds it, with what is known of its row; the arrow keys go on.
function enlarge(row) { at = opened.indexOf(row); if (at < 0) { opened = [row]; at = 0; } large(); $("large").showModal(); }
function large() {
  const row = opened[at], img = $("original"), facts = { label: row.label || "none", predicted: row.predicted, dataset: row.dataset, split: parted ? row.split || "none" : "", "label quality": row.quality === null ? "" : digits(row.quality), "sample id": row.id };
  img.src = row.picture; img.alt = `${row.label || "no label"}, ${row.id}`;
  for (const [name, score] of Object.entries(row.found)) facts[words(name)] = `${digits(score)}: ${byName[name].rule}`;
  $("about").replaceChildren(...Object.entries(facts).filter(([, v]) => v).flatMap(([k, v]) => [make("dt", k), make("dd", v)]));
  img.onload = () => { $("scale").textContent = `${row.size[0]} × ${row.size[1]} px` + (img.naturalWidth < row.size[0] ? `, shown at ${img.naturalWidth} × ${img.naturalHeight}` : ", shown with all its pixels"); };
  $("before").disabled = !at; $("after").disabled = at === opened.length - 1;
}
const turn = by => { at = Math.min(opened.length - 1, Math.max(0, at + by)); large(); };
$("before").addEventListener("click", () => turn(-1)); $("after").addEventListener("click", () => turn(1));
$("close").addEventListener("click", () => $("large").close());
$("hard").addEventListener("click", () => $("hard").setAttribute("aria-pressed", String($("original").classList.toggle("hard"))));
$("large").addEventListener("keydown", e => { if (e.key === "ArrowLeft") turn(-1); if (e.key === "ArrowRight") turn(1); });
$("large").addEventListener("click", e => { if (e.target === $("large")) $("large").close(); });

// Overviews.
function distributions() {
  const box = make("div", undefined, "panels");
  box.append(...data.findings.filter(f => f.spread).sort((a, b) => (b.about === "image") - (a.about === "image")).map(f => { const p = make("section", undefined, "panel"), h = make("h3"), a = make("a", words(f.name)); a.href = "#" + f.name; h.append(a); p.append(h, spread(f, () => {})); return p; }));
  return [box];
}
function classes() {
  const panel = make("section", undefined, "panel"), bars = make("div", undefined, "bars"), legend = make("div", undefined, "legend");
  for (const part of data.balance) {
    const total = part.counts.reduce((a, b) => a + b, 0) || 1, bar = make("div", undefined, "bar");
    bar.setAttribute("role", "img"); bar.setAttribute("aria-label", part.part + ": " + part.counts.map((n, i) => data.classes[i].name + " " + n).join(", "));
    part.counts.forEach((n, i) => { const s = make("span"); s.style.cssText = `width:${100 * n / total}%;background:${data.classes[i].colour}`; s.title = `${data.classes[i].name}: ${whole(n)} (${(100 * n / total).toFixed(1)} %)`; bar.append(s); });
    bars.append(make("span", `${part.part}, ${whole(total)}`), bar);
  }
  for (const c of data.classes) { const s = make("span"); s.append(dot(c.name), c.name); legend.append(s); }
  panel.append(bars, legend);
  const far = make("div", undefined, "outliers"); opened = [];
  for (const o of data.outliers.filter(o => o.rows.length)) {
    const rows = o.rows.map(r => data.rows[r]), h = make("h3"); opened.push(...rows.filter(r => r.picture));
    h.append(dot(o.class), `${o.class}: ${counted(o.count, "outlier")}` + (rows.length < o.count ? `, the ${whole(rows.length)} furthest` : ""));
    far.append(h, strip(rows, "", enlarge, i => `${o.why[i].measure}, ${digits(o.why[i].z)} deviations from the class`));
  }
  return [panel, far];
}

// One view, as the address names it.
function show() {
  const name = viewing = named(), f = finding(), overview = { distributions, classes }[name];
  for (const a of document.querySelectorAll("nav a")) { const on = a.hash === "#" + name; if (on) { a.setAttribute("aria-current", "page"); const box = a.closest("details"); if (box) box.open = true; } else a.removeAttribute("aria-current"); }
  limit = STEP;
  $("name").textContent = f ? words(f.name) : VIEWS[name] || "Nothing of that name";
  $("link").href = "#" + name;
  $("gallery").hidden = !f || !inRows(f);
  $("order").parentElement.hidden = !!(f && f.groups);
  $("overview").replaceChildren(...(overview ? overview() : []));
  $("meaning").textContent = f ? f.meaning : { distributions: "Of what can be measured of every row. Move a threshold to see what it would find; a name leads to its pictures. Bars are as high as the square root of their rows, so that few are seen beside many.", classes: "How many rows each class has, and those furthest from the others of their class in brightness, contrast, sharpness, size or shape (robust z-score of 3.5 or more). An outlier need not be wrong." }[name] || "";
  $("count").replaceChildren(); $("parts").textContent = ""; $("chart").replaceChildren();
  if (f === COPIES) $("count").append(make("b", `${counted(f.count, "row")} of ${counted(f.of_groups, "picture")}`), ` that ${f.of_groups === 1 ? "stands" : "stand"} in several rows`);
  else if (f) {
    const unit = ["imbalance", "drift", "synthetic"].includes(name) ? "part" : "row";
    $("count").append(make("b", f.of ? `${whole(f.count)} of ${counted(f.of, unit)}` : "not looked for"), `: ${f.rule}`);
    const beyond = Object.entries(f.parts).filter(([, v]) => past(f, v, f.threshold)).sort((a, b) => f.above ? b[1] - a[1] : a[1] - b[1]);
    $("parts").textContent = beyond.map(([n, v]) => `${n} ${digits(v)}`).join(", ");
    if (f.spread) $("chart").append(spread(f, () => { limit = STEP; cards(); }));
  }
  $("chart").hidden = !$("chart").firstChild;
  if (f && inRows(f)) cards(); else $("cards").replaceChildren();
}
const restart = () => { limit = STEP; cards(); };
for (const id of ["label", "dataset", "split", "order"]) $(id).addEventListener("change", restart);
$("search").addEventListener("input", restart);
document.querySelector("form").addEventListener("submit", e => e.preventDefault());
$("more").addEventListener("click", () => { limit += STEP; cards(); });
addEventListener("hashchange", () => { if (named() !== "view") { show(); scrollTo(0, 0); } });  // #view: the link past the list
show();
