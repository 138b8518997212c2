// One keystroke per decision, and a counter of what is left. FiftyOne loads this file into its App, and gives plugins
// its operators as window.__foo__; a Python plugin alone cannot bind keys.
(function () {
  "use strict";
  const operators = window.__foo__;
  if (!operators || window.__ferdata__) return;
  const uri = (name) => "@ferdata/review/" + name;
  const state = { choices: [], note: null, here: "", asking: 0 };
  window.__ferdata__ = state;

  // What the App itself writes when its advertisement, which lies over the first row of faces, is dismissed.
  try { localStorage.setItem("fiftyone-enterprise-tooltip-seen", "true"); } catch { /* a browser that keeps nothing */ }

  const style = document.createElement("style");
  style.textContent = `
    :root { --ferdata-bar: 0px }
    #root { height: calc(100vh - var(--ferdata-bar)) !important; overflow: hidden }
    #ferdata-left { position: fixed; left: 0; right: 0; bottom: 0; z-index: 1250; display: none; flex-wrap: wrap;
      justify-content: center; gap: 4px 14px; padding: 5px 10px; background: #141414; border-top: 1px solid #444;
      color: #eee; font: 13px/20px system-ui, sans-serif; pointer-events: none }
    #ferdata-left span { white-space: nowrap }
    #ferdata-left .count { font-weight: 600 }
    #ferdata-left kbd { display: inline-block; min-width: 18px; margin-right: 5px; padding: 0 4px; box-sizing: border-box;
      border: 1px solid #8a8a8a; border-bottom-width: 2px; border-radius: 4px; background: #333; color: #fff;
      font: 600 13px/17px ui-monospace, monospace; text-align: center }
    [data-cy="tag-decision"] { background: #00c853 !important; color: #000 !important }
    [data-cy="tag-why"] { background: rgba(20,20,20,.82) !important; color: #fff !important }
    [data-cy="tag-label_reason"] { background: rgba(255,255,255,.85) !important; color: #000 !important }
    .notistack-SnackbarContainer, .MuiSnackbar-root { bottom: calc(var(--ferdata-bar) + 14px) !important }`;
  document.head.appendChild(style);
  const bar = document.createElement("div");
  bar.id = "ferdata-left";
  document.body.appendChild(bar);
  // The App ends where the bar begins, so that neither covers the other, nor the App's own messages.
  new ResizeObserver(() => {
    document.documentElement.style.setProperty("--ferdata-bar", bar.offsetHeight + "px");
    window.dispatchEvent(new Event("resize"));
  }).observe(bar);

  // 1..8 the emotions in their order, 9 can't tell, 0 not a face: the last two of what may be chosen.
  const keyOf = (i) => (i === state.choices.length - 1 ? "0" : i === state.choices.length - 2 ? "9" : String(i + 1));

  function piece(text, key, kind) {
    const span = document.createElement("span");
    if (kind) span.className = kind;
    if (key) span.appendChild(document.createElement("kbd")).textContent = key;
    span.append(text);
    bar.append(span, " ");
  }

  function show(result) {
    if (!result || !result.choices) return;
    state.choices = result.choices;
    state.last = result;
    const number = (n) => n.toLocaleString("en");
    bar.textContent = "";
    piece(number(result.left) + " of " + number(result.total) + " pictures left, " + number(result.waiting) + " to pull",
      null, "count");
    state.choices.forEach((word, i) => piece(word, keyOf(i)));
    piece("confirm", "y");
    piece("undo", "u");
    piece(state.note ? 'note: "' + state.note + '"' : "note", "n");
    bar.style.display = state.choices.length ? "flex" : "none";
  }

  // Which face is open: its id, null while none is, "" while one that is being closed is still seen.
  function open() {
    const face = document.querySelector("[data-cy=modal]");  // may stay in the page when it is closed
    if (face === null || face.getClientRects().length === 0 || face.textContent.trim() === "") return null;
    return new URLSearchParams(location.search).get("id") || "";
  }

  function run(name, params) {
    state.asking = Date.now();
    operators.executeOperator(uri(name), { ...params, open: open() }, {
      skipOutput: true,
      callback: (done) => {
        state.asking = 0;
        show(done && done.result);
        repaint(done && done.result && done.result.face);
      },
    });
  }

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
    if (face && paints) operators.executeOperator(uri("repaint"), { face: face }, { skipOutput: true });
  }

  const typing = (element) =>
    element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) &&
      !/^(checkbox|radio|button)$/.test(element.type || ""));

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
      if (!state.choices.length || open() === "") return;
      const chosen = state.choices.findIndex((_, i) => keyOf(i) === event.key);
      const note = state.note;
      if (chosen >= 0) run("relabel", { label: state.choices[chosen], note: note });
      else if (event.key === "y") run("confirm", { note: note });
      else if (event.key === "u") run("undo");
      else if (event.key === "n") {
        state.note = window.prompt("Note for the next decision:", note || "") || null;
        show(state.last);
        event.preventDefault();
        return;
      } else return;
      state.note = null;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // Another dataset or view, and an edit in the Annotate tab, count too. The App changes its address before its view
  // and tells nobody of an edit, so the count is asked for again and again, while somebody looks: at once when a face
  // is closed, and otherwise every few seconds, never before the last answer is there (a lost one is waited for 30 s).
  setInterval(() => {
    if (!location.pathname.startsWith("/datasets/") || document.visibilityState !== "visible") return;
    const now = open();
    const moved = location.href !== state.here || now !== state.open;
    if (state.asking && Date.now() - state.asking < 30000) return;
    if (!moved && Date.now() - (state.asked || 0) < 3000) return;
    state.here = location.href;
    state.open = now;
    state.asked = Date.now();
    run("left");
  }, 500);
})();
