// One keystroke per decision, and a counter of what is left. FiftyOne loads this file into its App, and gives plugins
// its operators as window.__foo__; a Python plugin alone cannot bind keys.
(function () {
  "use strict";
  const operators = window.__foo__;
  if (!operators || window.__ferdata__) return;
  const uri = (name) => "@ferdata/review/" + name;
  const state = { choices: [], note: null, here: "" };
  window.__ferdata__ = state;

  const bar = document.createElement("div");
  bar.id = "ferdata-left";
  bar.style.cssText =
    "position:fixed;left:50%;bottom:6px;transform:translateX(-50%);z-index:9999;padding:3px 12px;border-radius:4px;" +
    "background:rgba(20,20,20,.88);color:#eee;font:12px/18px sans-serif;pointer-events:none;display:none;" +
    "white-space:nowrap;max-width:96vw;overflow:hidden;text-overflow:ellipsis";
  document.body.appendChild(bar);

  // 1..8 the emotions in their order, 9 can't tell, 0 not a face: the last two of what may be chosen.
  const keyOf = (i) => (i === state.choices.length - 1 ? "0" : i === state.choices.length - 2 ? "9" : String(i + 1));

  function show(result) {
    if (!result || !result.choices) return;
    state.choices = result.choices;
    const keys = state.choices.map((word, i) => keyOf(i) + " " + word).join("  ");
    const note = state.note ? '  |  note: "' + state.note + '"' : "";
    bar.textContent =
      result.left.toLocaleString("en") + " of " + result.total.toLocaleString("en") + " left, " + result.waiting +
      " to pull  |  " + keys + "  y confirm  u undo  n note" + note;
    bar.style.display = state.choices.length ? "block" : "none";
    state.last = result;
  }

  function run(name, params) {
    operators.executeOperator(uri(name), params || {}, {
      skipOutput: true,
      callback: (done) => show(done && done.result),
    });
  }

  const typing = (element) =>
    element && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) &&
      !/^(checkbox|radio|button)$/.test(element.type || ""));

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
      if (!state.choices.length) return;
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
  // and tells nobody of an edit, so the count is asked for again and again, while somebody looks.
  setInterval(() => {
    const moved = location.href !== state.here;
    if (!location.pathname.startsWith("/datasets/") || document.visibilityState !== "visible") return;
    if (!moved && Date.now() - (state.asked || 0) < 4000) return;
    state.here = location.href;
    state.asked = Date.now();
    run("left");
  }, 500);
})();
