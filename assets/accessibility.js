// What a person hears who does not see the page. Gradio's chat is a live region that would be read out anew with every
// letter; instead, one hidden region of our own gets whole sentences of the reply that is being written, and what a
// card says when it says something new. A conversation that is only shown again is not read out, and nothing is before
// a person has done something. Below, a few places are mended where Gradio's markup contradicts itself.
(function () {
  const BUBBLES = "#chat [data-testid=user], #chat [data-testid=bot]";
  const CARDS = ".findings, .run-card .state, .run-card .error";
  const SENTENCE = /^[\s\S]*[।\u09f7॥?!\n](?=\s|$)/;
  const STILL = 1500;  // milliseconds without a new letter: what is there is said, sentence or not
  const KEPT = 20;

  let region, acted = false, waiting = 0, asked = "", told = "", rest;
  const cards = new WeakMap();

  function say(text) {
    const words = text.trim();
    if (!words) return;
    const line = document.createElement("p");
    line.textContent = words;
    line.lang = /[\u0980-\u09ff]/.test(words) ? "bn" : "en";  // replies are in Bengali on an English page, too
    region.append(line);
    while (region.childElementCount > KEPT) region.firstElementChild.remove();
  }

  function hearReply() {
    const all = [...document.querySelectorAll(BUBBLES)], last = all[all.length - 1];
    if (!last || last.dataset.testid === "user") {
      waiting = last ? all.length : 0;
      asked = last ? last.textContent : "";
      told = "";
      return;
    }
    // all that answers the message, for help may stand in a bubble of its own; another conversation is no answer to it
    const replies = all.slice(waiting);
    if (!waiting || all[waiting - 1]?.textContent !== asked || replies.some((one) => one.dataset.testid === "user")) {
      waiting = 0;
      return;
    }
    const text = replies.map((one) => one.innerText.trim()).join("\n");
    if (!text.startsWith(told)) told = "";
    const whole = SENTENCE.exec(text.slice(told.length));
    if (whole) {
      say(whole[0]);
      told += whole[0];
    }
    clearTimeout(rest);
    if (text.length > told.length) {
      rest = setTimeout(() => { say(text.slice(told.length)); told = text; }, STILL);
    }
  }

  function hearCards() {
    const found = new Map();
    for (const one of document.querySelectorAll(CARDS)) {
      const place = one.closest(".block") || one;
      if (!one.closest("[role=alert], [role=status], [aria-live]")) found.set(place, `${found.get(place) || ""} ${one.innerText}`);
    }
    for (const [place, text] of found) {
      const news = text !== cards.get(place);
      cards.set(place, text);
      if (news && acted && place.checkVisibility()) say(text);
    }
  }

  function mend() {
    document.querySelectorAll("#chat [role=log]:not([aria-live=off])").forEach((log) => log.setAttribute("aria-live", "off"));
    // a list whose items are buttons is none; a header that can be pressed may not hold the button that closes it
    document.querySelectorAll("#chat .examples[role=list]").forEach((list) => list.setAttribute("role", "group"));
    document.querySelectorAll(".toast-header[role=button]").forEach((header) => {
      header.removeAttribute("role");
      header.removeAttribute("tabindex");
    });
    // what is taken out of a chooser is said by its name, not by its place
    document.querySelectorAll(".token > .token-remove").forEach((button) => {
      if (/ \d+$/.test(button.title)) button.title = button.title.replace(/\d+$/, button.parentElement.innerText.trim());
    });
    // a name needs something that is named: the picture of an empty panel
    document.querySelectorAll(".empty[aria-label]:not([role])").forEach((empty) => empty.setAttribute("role", "img"));
    // the value that is sent is nobody's business: the words stand beside it
    document.querySelectorAll("label > input[title]").forEach((box) => box.removeAttribute("title"));
    // what scrolls must be reached by keyboard
    document.querySelectorAll(".cm-scroller[tabindex='-1'], .scroll:not([tabindex])").forEach((one) => one.setAttribute("tabindex", "0"));
  }

  let due = false;
  function look() {
    due = false;
    mend();
    hearReply();
    hearCards();
  }

  function begin() {
    region = document.createElement("div");
    region.id = "heard";
    region.setAttribute("role", "log");
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
    window.shohomormi.announce = say;  // for what changes in a place where nobody listens, such as a button's name
    for (const kind of ["keydown", "pointerdown"]) addEventListener(kind, () => { acted = true; }, { capture: true, once: true });
    new MutationObserver(function (changes) {
      if (due || changes.every((change) => region.contains(change.target))) return;
      due = true;
      requestAnimationFrame(look);
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
    look();
  }

  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();
