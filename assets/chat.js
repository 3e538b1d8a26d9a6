// Conversations, kept in this browser and nowhere else: the shelf they stand on, reading aloud, and nothing of it
// on the server. Gradio's BrowserState holds the store ({on, list}); these functions only make a new one of it, and
// what is done to it in other tabs comes and goes through tabs.js.
window.shohomormi = Object.assign(window.shohomormi || {}, (function () {
  const TITLE = 48;
  let open = ""; // the id of the conversation that stands on the page
  let asked = {}; // by the last click on the shelf
  const tabs = window.shohomormi.tabs;

  const textOf = (turn) =>
    typeof turn.content === "string"
      ? turn.content
      : (turn.content || []).filter((part) => part.type === "text").map((part) => part.text).join("\n");
  const plain = (turns) => (turns || []).map((turn) => ({
    role: turn.role, content: [{ type: "text", text: textOf(turn) }], metadata: turn.metadata || {}, options: turn.options || [],
  }));
  const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const language = () => (document.documentElement.lang.startsWith("en") ? "en" : "bn");
  const day = (at, more) => new Date(at).toLocaleDateString(language() === "en" ? "en-GB" : "bn-BD", { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more });
  const folded = (text) => text.normalize("NFC").toLowerCase();

  function title(turns) {
    const first = turns.find((turn) => turn.role === "user");
    const text = first ? textOf(first).replace(/\s+/g, " ").trim() : "";
    const letters = Array.from(new Intl.Segmenter("bn").segment(text), (part) => part.segment);
    return letters.length > TITLE ? letters.slice(0, TITLE).join("") + "…" : text;
  }

  // The store with this conversation as it is now: the newest first, the oldest gone where there is no more room.
  function keep(store, id, turns, tier) {
    open = id;
    const held = store;
    store = tabs.current(store);
    const asItIs = () => (JSON.stringify(store) === JSON.stringify(held) ? held : store); // which is not written again
    const said = plain(turns);
    showStart(said);
    if (!store.on || !id || tabs.gone(id) || !said.some((turn) => turn.role === "user")) return asItIs();
    const old = store.list.find((one) => one.id === id);
    if (old && JSON.stringify(old.turns) === JSON.stringify(said)) return asItIs(); // looked at, not gone on with
    const at = Date.now();
    const now = { id, at, changed: at, title: (old && old.named && old.title) || title(said), named: !!(old && old.named), turns: said, tier };
    return tabs.tell({ ...store, list: [now, ...store.list.filter((one) => one.id !== id)] });
  }

  // A fixed message is longer than the panel on a phone: its first words are what should be seen, not its end.
  function showStart(turns) {
    const last = turns[turns.length - 1];
    if (!last || last.metadata.id !== "fixed") return;
    setTimeout(() => {
      const panel = document.querySelector("#chat [role=log]");
      const message = panel && Array.from(panel.querySelectorAll("[data-testid=bot]")).pop();
      if (message) panel.scrollTop += message.getBoundingClientRect().top - panel.getBoundingClientRect().top - 12;
    }, 300);
  }

  // What a click on the shelf asks for. Returns [store, {id, turns, tier} of the conversation that opens, null where this
  // one stays]. What has been said in this one until now is kept first.
  function act(store, current, turns, tier, words) {
    const { kind, id, name } = asked;
    asked = {};
    store = tabs.current(store);
    const one = store.list.find((conversation) => conversation.id === id);
    const nothing = { id: "", turns: [], tier: "none" };
    const opened = (other) => { open = other.id; return other; };
    const at = Date.now();
    if (kind === "open" && one)
      return [keep(store, current, turns, tier), opened({ id, turns: plain(one.turns), tier: one.tier || "none" })];
    if (kind === "delete") store = tabs.tell(tabs.without(store, [id], at));
    if (kind === "delete-all") store = tabs.tell(tabs.without(tabs.emptied(store, at), current ? [current] : [], at));
    if (kind === "delete-all" || tabs.gone(current)) return [store, opened(nothing)]; // also where another tab did it
    if (kind === "rename" && one) {
      const list = store.list.map((other) => (other.id === id ? { ...other, title: name, named: true, changed: at } : other));
      return [tabs.tell({ ...store, list }), null];
    }
    if (kind === "switch") return [tabs.tell({ ...store, on: !store.on, switched: at }), null];
    if (kind === "markdown") save(store.list.filter((other) => !id || other.id === id).map((one) => markdown(one, words[language()])).join("\n\n---\n\n"), "md", "text/markdown");
    if (kind === "json") save(JSON.stringify(store.list.filter((other) => !id || other.id === id).map(lean), null, 1), "json", "application/json");
    return [store, null];
  }

  const lean = (one) => ({ title: one.title, at: new Date(one.at).toISOString(), messages: one.turns.map((turn) => ({ role: turn.role, content: textOf(turn) })) });
  const markdown = (one, say) =>
    `# ${one.title}\n\n${day(one.at, { year: "numeric" })}\n\n` +
    one.turns.map((turn) => `**${turn.role === "user" ? say.me : say.model}**\n\n${textOf(turn)}`).join("\n\n");

  function save(text, ending, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = `shohomormi-${new Date().toISOString().slice(0, 10)}.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // The shelf as HTML. `words` are the interface's, by language; everything that a person wrote is escaped.
  function shelf(store, words) {
    const say = words[language()];
    const list = (store && store.list) || [];
    const on = !store || store.on !== false;
    const button = (kind, id, sign, label) =>
      `<button type="button" data-act="${kind}" data-id="${escaped(id)}" aria-label="${escaped(label)}" title="${escaped(label)}">${sign}</button>`;
    const rows = list.map((one) =>
      `<li data-id="${escaped(one.id)}"><button type="button" class="open" data-act="open" data-id="${escaped(one.id)}">` +
      `<span>${escaped(one.title)}</span><small>${escaped(day(one.at))}</small></button>` +
      button("rename", one.id, "✎", say.rename) + button("markdown", one.id, "MD", say.markdown) +
      button("json", one.id, "{ }", say.json) + button("delete", one.id, "✕", say.delete) + "</li>").join("");
    return `<div class="shelf" lang="${language()}">` +
      `<label class="switch"><input type="checkbox" data-act="switch" ${on ? "checked" : ""}> ${escaped(say.on)}</label>` +
      `<p class="quiet">${escaped(on ? say.where : say.off)}</p>` +
      (store && store.crowded ? `<p class="quiet">${escaped(say.crowded)}</p>` : "") +
      (list.length
        ? `<input type="search" class="search" placeholder="${escaped(say.search)}" aria-label="${escaped(say.search)}">` +
          `<ul>${rows}</ul><p class="quiet none" hidden>${escaped(say.nothing)}</p><div class="all">` +
          button("markdown", "", escaped(say.all_markdown), say.all_markdown) + button("json", "", escaped(say.all_json), say.all_json) +
          button("delete-all", "", escaped(say.delete_all), say.delete_all) + "</div>"
        : `<p class="quiet">${escaped(say.empty)}</p>`) + "</div>";
  }

  // Clicks and typing on the shelf. `props.value` is the store; what a click asks for waits in `asked`, for the store may
  // change before Gradio comes for it.
  function mind(element, props, trigger, words) {
    const ask = (kind, id, name) => {
      asked = { kind, id, name };
      trigger(kind === "open" || kind === "delete-all" || (kind === "delete" && id === open) ? "submit" : "select");
    };
    // What another tab has done is shown, and written down here too, for this tab may have written an older store since.
    // The shelf is there only once it has been unfolded, and catches up then.
    const catchUp = () => trigger(tabs.gone(open) ? "submit" : "input");
    tabs.listen(catchUp);
    setTimeout(catchUp);
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (!button || button.dataset.editing) return;
      const { act: kind, id } = button.dataset;
      const say = words[language()];
      if (kind === "rename") return rename(element, props, id, ask);
      if (kind.startsWith("delete") && button.dataset.sure !== "yes") { // the second click means it
        button.dataset.sure = "yes";
        const called = (sign, name) => { // its name is heard in place of what stands on it
          button.textContent = sign;
          button.title = name;
          button.setAttribute("aria-label", name);
        };
        const before = [button.textContent, button.title];
        called(say.sure, say.sure);
        window.shohomormi.announce(say.sure);
        setTimeout(() => { if (button.isConnected) { button.dataset.sure = ""; called(...before); } }, 4000);
        return;
      }
      ask(kind, id);
    });
    element.addEventListener("input", (event) => {
      if (event.target.type !== "search") return;
      const wanted = folded(event.target.value.trim());
      let shown = 0;
      for (const one of (props.value && props.value.list) || []) {
        const row = element.querySelector(`li[data-id="${one.id}"]`);
        if (!row) continue;
        row.hidden = !folded(one.title + "\n" + one.turns.map(textOf).join("\n")).includes(wanted);
        shown += !row.hidden;
      }
      element.querySelector(".none").hidden = shown > 0;
    });
  }

  function rename(element, props, id, ask) {
    const row = element.querySelector(`li[data-id="${id}"]`);
    const one = props.value.list.find((other) => other.id === id);
    const field = Object.assign(document.createElement("input"), { value: one.title, maxLength: 120, className: "search" });
    const button = row.querySelector(".open");
    const done = (keepIt) => {
      const name = field.value.trim();
      field.replaceWith(button);
      button.focus();
      if (keepIt && name && name !== one.title) ask("rename", id, name);
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return; // the key belongs to whoever composes Bengali letters
      if (event.key === "Enter") done(true);
      if (event.key === "Escape") done(false);
    });
    button.replaceWith(field);
    field.focus();
    field.select();
  }

  // Reading aloud with the browser's own Bengali voice; without one the button stays away.
  const voices = () => (window.speechSynthesis ? speechSynthesis.getVoices().filter((voice) => /^bn\b/i.test(voice.lang)) : []);
  const hear = () => document.documentElement.classList.toggle("has-bengali-voice", voices().length > 0);
  if (window.speechSynthesis) {
    hear();
    speechSynthesis.addEventListener("voiceschanged", hear);
  }
  function listen(turns) {
    if (speechSynthesis.speaking) return speechSynthesis.cancel();
    const last = (turns || []).filter((turn) => turn.role === "assistant").pop();
    if (!last) return;
    const speech = new SpeechSynthesisUtterance(textOf(last).replace(/[*#_]/g, ""));
    speech.voice = voices()[0];
    speech.lang = speech.voice ? speech.voice.lang : "bn";
    speechSynthesis.speak(speech);
  }

  // Replies side by side: what was written for the same message, and which of them stands in the conversation.
  function alternatives(value, words) {
    const options = (value && value.options) || [];
    if (!options.length) return "";
    const say = words[language()];
    return `<div class="alternatives" lang="${language()}"><p class="quiet">${escaped(say.alternatives)}</p><div class="cards">` +
      options.map((text, place) =>
        `<article class="${place === value.chosen ? "chosen" : ""}"><p lang="bn">${escaped(text)}</p>` +
        (place === value.chosen
          ? `<span class="quiet">${escaped(say.stands)}</span>`
          : `<button type="button" data-place="${place}">${escaped(say.take)}</button>`) + "</article>").join("") + "</div></div>";
  }
  function choose(element, props, trigger) {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("[data-place]");
      if (!button) return;
      props.value = { ...props.value, before: props.value.chosen, chosen: Number(button.dataset.place) };
      trigger("select");
    });
  }

  // The end of a reply stays in sight while it is written, unless somebody reads further up. (Gradio's own scrolling
  // decides first and scrolls 300 ms later, and so takes back whoever scrolled up meanwhile.)
  const NEAR = 60; // pixels from the end that still count as being there
  const LOG = "#chat [role=log]";
  function follow() {
    const beyond = (panel) => panel.scrollHeight - panel.scrollTop - panel.clientHeight;
    let atEnd = true, said = 0;
    document.addEventListener("scroll", ({ target }) => {
      if (target.matches && target.matches(LOG)) atEnd = beyond(target) < NEAR;
    }, { capture: true, passive: true });
    new MutationObserver(() => {
      const panel = document.querySelector(LOG);
      if (!panel) return;
      const messages = panel.querySelectorAll("[data-testid=user]").length;
      if (messages > said || panel.scrollHeight <= panel.clientHeight) atEnd = true; // who says something sees it stand
      said = messages;
      if (atEnd && beyond(panel) > 1) panel.scrollTop = panel.scrollHeight;
    }).observe(document.documentElement, { childList: true, characterData: true, subtree: true });
  }
  follow();

  return { keep, act, shelf, mind, listen, alternatives, choose };
})());
