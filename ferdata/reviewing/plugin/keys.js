// One keystroke per decision, a card beside the open face, and a count of what is decided. FiftyOne loads this file
// into its App, and gives plugins its operators as window.__foo__; a Python plugin alone cannot bind keys.
(function () {
  "use strict";
  const operators = window.__foo__;
  if (!operators || window.__ferdata__) return;
  const uri = (name) => "@ferdata/review/" + name;
  const state = { choices: [], colours: {}, opened: {}, note: null, here: "", asking: 0, deciding: 0,
    trail: [], advance: true, ready: false };
  window.__ferdata__ = state;

  // What the App itself writes when its advertisement, which lies over the first row of faces, is dismissed.
  try {
    localStorage.setItem("fiftyone-enterprise-tooltip-seen", "true");
    state.advance = localStorage.getItem("ferdata-advance") !== "off";
  } catch { /* a browser that keeps nothing */ }

  const style = document.createElement("style");
  style.textContent = `
    :root { --ferdata-bar: 0px; --ferdata-card: 330px; --ferdata-ground: #141414; --ferdata-text: #eee;
      --ferdata-quiet: #b5b5b5; --ferdata-line: #444; --ferdata-key: #333 }
    :root[data-mui-color-scheme="light"] { --ferdata-ground: #fafafa; --ferdata-text: #1a1a1a;
      --ferdata-quiet: #595959; --ferdata-line: #c4c4c4; --ferdata-key: #fff }
    #root { height: calc(100vh - var(--ferdata-bar)) !important; overflow: hidden }
    #ferdata-left { position: fixed; left: 0; right: 0; bottom: 0; z-index: 1250; display: none; flex-wrap: wrap;
      justify-content: center; gap: 4px 14px; padding: 5px 10px; background: var(--ferdata-ground);
      border-top: 1px solid var(--ferdata-line); color: var(--ferdata-text); font: 13px/20px system-ui, sans-serif;
      pointer-events: none }
    #ferdata-left span { white-space: nowrap }
    #ferdata-left .count { font-weight: 600 }
    #ferdata-left input { width: 260px; height: 20px; padding: 0 6px; border: 1px solid var(--ferdata-quiet);
      border-radius: 4px; background: var(--ferdata-key); color: var(--ferdata-text); font: inherit;
      pointer-events: auto }
    #ferdata-left kbd, #ferdata-card kbd { display: inline-block; min-width: 18px; margin-right: 5px; padding: 0 4px;
      box-sizing: border-box; border: 1px solid #8a8a8a; border-bottom-width: 2px; border-radius: 4px;
      background: var(--ferdata-key); color: var(--ferdata-text); font: 600 13px/17px ui-monospace, monospace;
      text-align: center }
    [data-cy="looker"] > div:has(> [data-cy^="tag-"]) { font-size: 12px !important; line-height: 14px !important }
    [data-cy="looker"] [data-cy="tag-decision"] { background: #00c853 !important; color: #000 !important }
    [data-cy="looker"] [data-cy="tag-why"], [data-cy="looker"] [data-cy="tag-image_issues"] {
      background: rgba(20,20,20,.85) !important; color: #fff !important; font-size: 11px; letter-spacing: -.1px }
    [data-cy="tag-why"] ~ [data-cy="tag-why"], [data-cy="tag-decision"] ~ [data-cy="tag-why"] { display: none }
    [data-cy="looker"] [data-cy="tag-label_reason"] { background: rgba(255,255,255,.9) !important; color: #000 !important }
    .notistack-SnackbarContainer, .MuiSnackbar-root { bottom: calc(var(--ferdata-bar) + 14px) !important }
    [data-cy="modal"] { height: calc(100% - var(--ferdata-bar)) !important }
    .ferdata-open [data-cy="modal-looker-container"] { margin-left: 60px;
      width: calc(100% - var(--ferdata-card) - 120px) !important }
    .ferdata-open.ferdata-small [data-cy="modal-looker-container"] { width: 270px !important; height: 270px !important;
      margin: 40px 0 0 max(60px, calc(50% - 135px - var(--ferdata-card) / 2)) }
    #ferdata-card { position: fixed; z-index: 1240; display: none; width: calc(var(--ferdata-card) - 20px);
      box-sizing: border-box; padding: 0 4px 8px; overflow-y: auto; color: var(--ferdata-text);
      font: 13px/19px system-ui, sans-serif }
    #ferdata-card h3 { margin: 12px 0 4px; color: var(--ferdata-quiet); font: 600 12px/16px system-ui, sans-serif }
    #ferdata-card .name { overflow-wrap: anywhere; color: var(--ferdata-quiet); font-size: 12px }
    #ferdata-card .row { display: grid; grid-template-columns: 84px 1fr 44px; gap: 8px; align-items: center }
    #ferdata-card .row span:last-child { text-align: right; font-variant-numeric: tabular-nums }
    #ferdata-card .bar { height: 10px; border-radius: 2px; min-width: 2px }
    #ferdata-card .candidate { margin: 5px 0; display: flex; gap: 8px; align-items: center }
    #ferdata-card .chip { padding: 2px 9px; border-radius: 4px; font-weight: 600; font-size: 15px }
    #ferdata-card .chip.decided { outline: 2px solid #00c853; outline-offset: 2px }`;
  document.head.appendChild(style);
  const bar = document.createElement("div");
  bar.id = "ferdata-left";
  const card = document.createElement("div");
  card.id = "ferdata-card";
  document.body.append(bar, card);
  // The App ends where the bar begins, so that neither covers the other, nor the App's own messages.
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--ferdata-bar", bar.offsetHeight + "px");
    window.dispatchEvent(new Event("resize"));
  }).observe(bar);

  // The App draws a picture with hard pixels, however far it is blown up; a face of 48 px is then hard to read.
  const drawing = CanvasRenderingContext2D.prototype;
  const smooth = Object.getOwnPropertyDescriptor(drawing, "imageSmoothingEnabled");
  Object.defineProperty(drawing, "imageSmoothingEnabled", {
    ...smooth,
    set(value) {
      smooth.set.call(this, value || state.choices.length > 0);
      this.imageSmoothingQuality = "high";
    },
  });

  // 1..8 the emotions in their order, 9 can't tell, 0 not a face: the last two of what may be chosen.
  const keyOf = (i) => (i === state.choices.length - 1 ? "0" : i === state.choices.length - 2 ? "9" : String(i + 1));
  const number = (n) => n.toLocaleString("en");

  function make(kind, className, ...content) {
    const element = document.createElement(kind);
    element.className = className;
    element.append(...content);
    return element;
  }

  function piece(text, key, kind) {
    const span = make("span", kind || "");
    if (key) span.append(make("kbd", "", key));
    span.append(text);
    bar.append(span, " ");
  }

  // How many of a view are decided: of those that stood there when it was opened, since what is decided leaves some
  // views ("..., not decided"). In a view of what is decided only an undo takes something away.
  function decided(result) {
    const then = (state.opened[result.view] ||= { total: result.total, left: result.left });
    then.total = Math.max(then.total, result.total);
    return [then.left ? then.total - result.left : result.total - result.left, then.total];
  }

  function show(result) {
    if (!result || !result.choices) return;
    if (!state.choices.length) paint(result.colours);
    state.choices = result.choices;
    state.last = result;
    const [done, of] = decided(result);
    const pull = number(result.waiting) + (result.waiting === 1 ? " picture" : " pictures") + " to pull";
    const count = number(done) + " of " + number(of) + " decided, " + pull;
    if (state.writing && bar.contains(state.writing)) {  // a field that is taken out loses what is being typed
      bar.querySelector(".count").textContent = count;
      return;
    }
    bar.textContent = "";
    piece(count, null, "count");
    state.choices.forEach((word, i) => piece(word, keyOf(i)));
    piece("confirm", "y");
    piece("accept suggestion", "a");
    piece("undo", "u");
    if (state.writing) bar.append(state.writing, " ");
    else piece(state.note ? 'note: "' + state.note + '"' : "note", "n");
    piece("auto-advance: " + (state.advance ? "on" : "off"), "t");
    bar.style.display = state.choices.length ? "flex" : "none";
  }

  // A field in the bar for the note of the next decision: Enter and a click elsewhere keep it, Escape leaves it as it
  // was. When the App takes the focus while it loads, the field takes it back: the letters that follow would decide.
  function write() {
    const field = make("input", "");
    field.placeholder = "Note for the next decision; Enter keeps it";
    field.setAttribute("aria-label", field.placeholder);
    field.value = state.note || "";
    const close = (note) => {
      if (!state.writing) return;
      state.writing = null;
      state.note = note;
      show(state.last);
    };
    const keep = () => close(field.value.trim() || null);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();  // the App closes the face at Escape
      if (event.key === "Enter") keep();
      else if (event.key === "Escape") close(state.note);
      else if (event.key === "Tab") keep();
    });
    field.addEventListener("blur", (event) => {
      if (document.activeElement === field) return;  // another window is looked at
      if (event.relatedTarget && state.writing) field.focus();
      else keep();
    });
    state.writing = field;
    state.keep = keep;
    show(state.last);
    field.focus();
  }

  // Black or white, whichever is easier to read on a colour: one of them always has a contrast of 4.5 to 1.
  const parts = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  function textOn(colour) {
    const [r, g, b] = parts(colour).map((c) => (c / 255 <= 0.04045 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  }

  // The App writes white on every colour; it names the colour in the label's own style, and nowhere else.
  function paint(colours) {
    state.colours = colours;
    for (const colour of new Set(Object.values(colours)))
      style.sheet.insertRule(
        `[data-cy^="tag-"][style*="rgb(${parts(colour).join(", ")})"] { color: ${textOn(colour)} !important }`);
  }

  // Beside the open face: the label and what else it may be, each with its key, the votes, the model.
  function describe(face) {
    const chip = (word, kind) => {
      const element = make("span", "chip" + (kind ? " " + kind : ""), word);
      const colour = state.colours[word] || "#5a5a5a";
      element.style.cssText = `background: ${colour}; color: ${textOn(colour)}`;
      return element;
    };
    const candidate = (word, from, key, kind) =>
      card.append(make("div", "candidate", make("kbd", "", key), chip(word, kind), make("span", "", from)));
    const measure = (word, share, text) => {
      const length = make("div", "bar");
      length.style.cssText = `width: ${100 * share}%; background: ${state.colours[word] || "#8a8a8a"}`;
      card.append(make("div", "row", make("span", "", word), make("div", "", length), make("span", "", text)));
    };
    const digit = (word) => (state.choices.includes(word) ? keyOf(state.choices.indexOf(word)) : " ");
    const label = (face.ground_truth || {}).label;
    const votes = Object.entries(face.votes || {}).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1])
      .map(([name, n]) => [{ unknown: "can't tell", not_a_face: "not a face" }[name] || name, n]);
    const said = face.prediction || {};
    const confidence = said.confidence == null ? "" : Math.round(100 * said.confidence) + "%";
    const other = votes.map(([word]) => word).find((word) => word !== label);

    card.textContent = "";
    card.append(make("div", "name", [face.sample_id, face.split].filter(Boolean).join(" \u00b7 ")));
    if (label) candidate(label, face.decision ? face.decision + " by " + face.decided_by : "label", "y",
      face.decision && "decided");
    if (face.suggestion && face.suggestion !== label)
      candidate(face.suggestion, face.suggestion === said.label ? "model " + confidence : "most votes", "a");
    else if (other) candidate(other, "next by votes", digit(other));
    if (votes.length) {
      const all = votes.reduce((sum, [, n]) => sum + n, 0);
      card.append(make("h3", "", "Votes, " + all));
      votes.forEach(([word, n]) => measure(word, n / votes[0][1], String(n)));
    }
    if (said.label) {
      card.append(make("h3", "", "Model, confidence"));
      measure(said.label, said.confidence == null ? 0 : said.confidence, confidence);
    }
    const why = [...(face.why || []).filter((w) => w.startsWith("also labelled")), ...(face.findings || []),
      ...(face.image_issues || [])];
    if (why.length) card.append(make("h3", "", "Findings"), make("div", "", why.join(", ")));
    if (face.note) card.append(make("h3", "", "Note"), make("div", "", face.note));
  }

  // The card stands right of the face; a small picture is shown at about 250 px, not blown up to the whole window.
  function lay() {
    const pane = document.querySelector("[data-cy=modal] [data-cy=modal-looker-container]");
    const shown = state.face && state.face._id === open() && pane;
    const root = document.documentElement.classList;
    const size = (state.face || {}).metadata || {};
    root.toggle("ferdata-open", open() !== null && state.choices.length > 0);
    root.toggle("ferdata-small", Math.max(size.width || 999, size.height || 999) <= 128);
    card.style.display = shown ? "block" : "none";
    if (!shown) return;
    const box = pane.getBoundingClientRect();
    card.style.left = box.right + 20 + "px";
    card.style.top = box.top + "px";
    card.style.maxHeight = window.innerHeight - bar.offsetHeight - box.top - 24 + "px";
  }

  // Which face is open: its id, null while none is, "" while one that is being closed is still seen.
  function open() {
    const face = document.querySelector("[data-cy=modal]");  // may stay in the page when it is closed
    if (face === null || face.getClientRects().length === 0 || face.textContent.trim() === "") return null;
    return new URLSearchParams(location.search).get("id") || "";
  }

  function run(name, params, then) {
    state.asking = Date.now();
    operators.executeOperator(uri(name), { ...params, open: open() }, {
      skipOutput: true,
      callback: (done) => {
        state.asking = 0;
        if (then) state.deciding = 0;
        const result = done && done.result;
        show(result);
        repaint(result && result.face);
        if (then && result) then(result);
      },
    });
  }

  const turn = (way) => {
    const button = document.querySelector(`[data-cy=modal] [data-cy=nav-${way}-button]`);
    if (button) button.dispatchEvent(new MouseEvent("click", { bubbles: true }));  // it is a drawing
  };

  // A decision on the open face opens the next one, and its undo leads back: `trail` are the faces that were left so,
  // until somebody goes elsewhere. A key that comes before the answer to the last one would fall on a face that is about
  // to go, so it counts for nothing.
  function decide(name, params) {
    const face = open();
    state.deciding = Date.now();
    run(name, { ...params, note: state.note }, (result) => {
      if (!result.decided || !face || open() !== face || !state.advance) return;
      state.trail.push(face);
      turn("right");
    });
    state.note = null;
  }

  function undo() {
    const face = open();
    state.deciding = Date.now();
    run("undo", { last: state.trail.length > 0 }, (result) => {
      if (!result.undone.includes(state.trail.at(-1))) return;
      const before = state.trail.pop();
      if (open() === face && face !== before) turn("left");
    });
  }

  document.addEventListener("pointerdown", (event) => {
    if (state.writing && event.target !== state.writing) state.keep();
  }, true);

  document.addEventListener("click", (event) => {
    if (event.isTrusted && event.target.closest("[data-cy^=nav-]")) state.trail = [];
  }, true);

  // The App fetches a face when it is opened for the first time, and shows it like that ever after. Only a hook of its
  // own replaces what it has, and only a component or an operator may use a hook.
  const app = window.__fos__;
  class Repaint extends operators.Operator {
    get config() {
      return new operators.OperatorConfig({ name: "repaint", label: "ferdata: repaint the open face", unlisted: true });
    }
    useHooks() {
      return { update: app.useUpdateSamples() };
    }
    async execute(ctx) {
      const face = ctx.params.face;
      const held = (ctx.state.snapshot.getLoadable(app.modalSample).valueMaybe() || {}).sample || {};
      const at = (sample) => (sample.last_modified_at || {}).datetime || 0;
      if (held._id === face._id && at(held) >= at(face)) return;  // as it is, or an answer that was overtaken
      ctx.hooks.update([[face._id, face]]);
    }
  }
  const paints = app && app.useUpdateSamples && app.modalSample;
  if (paints) operators.registerOperator(Repaint, "@ferdata/review");

  function repaint(face) {
    if (!face) return;
    state.face = face;
    describe(face);
    lay();
    if (paints) operators.executeOperator(uri("repaint"), { face: face }, { skipOutput: true });
  }

  // An operator that the App does not have ends its page, and this file may be here before the App has heard which
  // operators there are: nothing is run until a second after that answer.
  new PerformanceObserver((list) => {
    if (list.getEntries().some((entry) => new URL(entry.name).pathname.endsWith("/operators")))
      setTimeout(() => { state.ready = true; }, 1000);
  }).observe({ type: "resource", buffered: true });

  const typing = (element) =>
    element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) &&
      !/^(checkbox|radio|button)$/.test(element.type || ""));

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key?.startsWith("Arrow")) state.trail = [];
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
      // A face that is about to go takes no decision; a note is not lost for that, since its letters would decide.
      if (!state.choices.length || (open() === "" && event.key !== "n")) return;
      const chosen = state.choices.findIndex((_, i) => keyOf(i) === event.key);
      if (Date.now() - state.deciding < 5000 && (chosen >= 0 || "yau".includes(event.key))) { /* too early */ }
      else if (chosen >= 0) decide("relabel", { label: state.choices[chosen] });
      else if (event.key === "y") decide("confirm");
      else if (event.key === "a") decide("accept");
      else if (event.key === "u") undo();
      else if (event.key === "n") write();
      else if (event.key === "t") {
        state.advance = !state.advance;
        try { localStorage.setItem("ferdata-advance", state.advance ? "on" : "off"); } catch { /* as above */ }
        show(state.last);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // Another dataset or view, and an edit in the Annotate tab, count too. The App changes its address before its view
  // and tells nobody of an edit, so the count is asked for again and again, while somebody looks: at once when a face
  // is opened or closed, and otherwise every few seconds, never before the last answer is there (a lost one is waited
  // for 30 s).
  setInterval(() => {
    if (!state.ready || !location.pathname.startsWith("/datasets/") || document.visibilityState !== "visible") return;
    const now = open();
    const moved = location.href !== state.here || now !== state.open;
    lay();
    if (now === null) state.trail = [];
    if (state.asking && Date.now() - state.asking < 30000) return;
    if (!moved && Date.now() - (state.asked || 0) < 3000) return;
    state.here = location.href;
    state.open = now;
    state.asked = Date.now();
    run("left");
  }, 200);
})();
