// Keeps a plot as a person left it. Gradio replaces the whole plot whenever its value changes, and Plotly's own
// `uirevision` only holds within one plot: so zoom, hidden lines and the chosen tool are kept here, by `uirevision`,
// and put back into the next plot. Plotly is part of Gradio's bundle, which shows it as window.Plotly. It knows no
// Bengali digits either: on a Bengali page they are written into its ticks and values, names keep theirs.
(function () {
  const kept = new Map();
  const BENGALI = "০১২৩৪৫৬৭৮৯";

  function digits(drawing) {
    if (document.documentElement.lang.startsWith("en")) return;
    const shown = drawing.querySelectorAll(".xtick text, .ytick text, .hoverlayer .legendtitletext, .hoverlayer .legendtext");
    for (const text of shown) {
      const walk = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const words = walk.currentNode.data;
        const value = text.classList.contains("legendtext") ? words.lastIndexOf(" : ") + 1 : 0;  // behind a run's name
        const written = words.slice(0, value) + words.slice(value).replace(/[0-9]/g, (digit) => BENGALI[digit]);
        if (written !== words) walk.currentNode.data = written;
      }
    }
  }

  function inBengali(div) {
    if (div.inBengali) return;
    div.inBengali = new MutationObserver(() => digits(div));
    div.inBengali.observe(div, { childList: true, characterData: true, subtree: true });
    digits(div);
  }

  function remember(div, sent, change) {
    const view = kept.get(div.layout.uirevision) || { axes: {}, lines: {} };
    kept.set(div.layout.uirevision, view);
    for (const name of ["xaxis", "yaxis"]) {
      if (!Object.keys(change).some((key) => key.startsWith(name + "."))) continue;
      const range = div.layout[name].range;
      const back = div.layout[name].autorange || String(range) === String(sent[name]);
      if (back) delete view.axes[name];
      else view.axes[name] = range.slice();
    }
    if ("dragmode" in change) view.dragmode = change.dragmode;
    if ("visible" in change) div.data.forEach((trace) => { view.lines[trace.legendgroup] = trace.visible; });
  }

  function keep(plotly) {
    const draw = plotly.react;
    plotly.react = function (div, data, layout, config) {
      const view = kept.get(layout.uirevision);
      const sent = { xaxis: layout.xaxis && layout.xaxis.range, yaxis: layout.yaxis && layout.yaxis.range };
      // A finger scrolls the page instead of zooming, until a person taps zoom or pan.
      if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
      if (view && "dragmode" in view) layout.dragmode = view.dragmode;
      if (view) data.forEach((trace) => { trace.visible = view.lines[trace.legendgroup] ?? trace.visible; });
      return Promise.resolve(draw.call(plotly, div, data, layout, config)).then(function (drawn) {
        inBengali(div);
        if (!layout.uirevision || !div.on) return drawn;
        div.on("plotly_relayout", (change) => remember(div, sent, change));
        div.on("plotly_restyle", (change) => remember(div, sent, change[0]));
        // After drawing, so that "reset" still leads to the whole plot.
        const zoom = {};
        for (const [name, range] of Object.entries(view ? view.axes : {})) zoom[name + ".range"] = range.slice();
        return Object.keys(zoom).length ? plotly.relayout(div, zoom) : drawn;
      });
    };
  }

  let plotly;
  Object.defineProperty(window, "Plotly", {
    configurable: true,
    get: () => plotly,
    set: (value) => { keep(value); plotly = value; },
  });
})();
