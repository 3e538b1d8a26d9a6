// What Gradio's components say in English whatever the language is, said in Bengali while the page is Bengali.
// `window.shohomormi.fixed` holds the sentences (see ui/wording_gradio.py): English first, `{0}` for what varies.
// Names are exchanged wherever they stand. Texts are exchanged only in Gradio's own places, never in what people or
// models wrote; there, in sliders, plots and the table of runs, figures become Bengali figures as well.
(function () {
  const NAMES = ["aria-label", "title", "placeholder"];
  const PLACES = ".toast-wrap, [data-testid=status-tracker], .cell-menu, .filter-menu, .cache-indicator, [role=status] .sr-only";
  const FIGURES = "[data-testid=status-tracker], .min_value, .max_value, .xtick, .ytick, #runs-table .body-cell:not(:first-child)";
  const exact = new Map(), patterns = [];

  for (const [english, bengali] of window.shohomormi.fixed) {
    if (!english.includes("{0}")) { exact.set(english, bengali); continue; }
    const quoted = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    patterns.push([new RegExp("^" + quoted.replace(/\{\d\}/g, "(.*?)") + "$", "s"), english.match(/\{\d\}/g), bengali]);
  }

  function figures(text) {
    const word = (one) => (/[A-Za-z]/.test(one) ? one : one.replace(/\d/g, (digit) => "০১২৩৪৫৬৭৮৯"[digit]));
    return text.replace(/\S+/g, word); // demo-001 and 5e-4 stay as they are
  }

  function said(text) {
    const plain = text.trim();
    if (!/[A-Za-z]/.test(plain)) return null;
    if (exact.has(plain)) return exact.get(plain);
    for (const [pattern, slots, bengali] of patterns) {
      const found = pattern.exec(plain);
      if (!found) continue;
      const told = (slot) => { const part = found[1 + slots.indexOf(slot)]; return /^[\d.,]+$/.test(part) ? figures(part) : part; };
      return bengali.replace(/\{\d\}/g, told);
    }
    return null;
  }

  function name(element) {
    for (const attribute of NAMES) {
      const now = element.getAttribute(attribute), bengali = now && said(now);
      if (bengali && bengali !== now) element.setAttribute(attribute, bengali);
    }
  }

  function write(node) {
    const parent = node.parentElement;
    if (!parent) return;
    let text = node.nodeValue;
    if (parent.closest(PLACES)) text = said(text) ?? text;
    if (parent.closest(FIGURES)) text = figures(text);
    if (text !== node.nodeValue) node.nodeValue = text;
  }

  function look(root) {
    if (root.nodeType === Node.TEXT_NODE) return write(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    name(root);
    root.querySelectorAll(NAMES.map((one) => `[${one}]`).join()).forEach(name);
    const places = `${PLACES}, ${FIGURES}`;
    const within = root.closest(places) ? [root] : root.querySelectorAll(places);
    for (const place of within) {
      const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) write(texts.currentNode);
    }
  }

  if (window.shohomormi.language !== "bn") return;
  new MutationObserver(function (changes) {
    for (const change of changes) {
      if (change.type === "attributes") name(change.target);
      else if (change.type === "characterData") write(change.target);
      else change.addedNodes.forEach(look);
    }
  }).observe(document.documentElement, { childList: true, characterData: true, subtree: true, attributeFilter: NAMES });
  look(document.documentElement);
})();
