// What a person has sent, until it stands in the conversation. The server answers each message, and on a slow way the
// next one may be written before that answer comes: the field is emptied in the very moment of the key or the click
// (Gradio's own events come later, and would take what is typed meanwhile), one message at a time is on its way, and
// what is sent meanwhile waits here and follows it. Where the connection breaks, Gradio reloads the page, perhaps often;
// what has not arrived is remembered for that, by this tab alone. It knows no conversation.
window.shohomormi = Object.assign(window.shohomormi || {}, { outbox: (function () {
  const NAME = "shohomormi_outbox", FIELD = "#chat-message textarea", SEND = "#chat-send";
  let waiting = []; // sent, and not yet on its way
  let going = []; // on its way: what went together, the earliest first
  let back = ""; // what came back into the field, as it stands there until it is sent again
  let looked = false; // whether the last page's have been asked for
  const joined = (texts) => texts.filter((text) => text && text.trim()).join("\n");

  function remember() {
    const text = joined([...going.flat(), ...waiting, back]);
    try {
      if (text) sessionStorage.setItem(NAME, text);
      else sessionStorage.removeItem(NAME);
    } catch (e) { /* storage is blocked */ }
  }

  function remembered() {
    try {
      return sessionStorage.getItem(NAME);
    } catch (e) { /* storage is blocked */ }
  }

  function write(field, text) {
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true })); // or Gradio would not hear of it
  }

  function send(field) {
    if (!field || !field.value.trim()) return;
    waiting.push(field.value.trim());
    back = "";
    remember();
    write(field, "");
  }

  // What goes now: more than one where several were sent while another was on its way. Empty where all has gone.
  function go() {
    going.push(waiting);
    waiting = [];
    return joined(going[going.length - 1]);
  }

  // After an answer. `kept`: what may not be said yet, which comes back.
  function arrived(kept) {
    going.shift();
    if (kept) comeBack([kept]);
    remember();
  }

  // After an error everything that was sent and has not arrived comes back.
  function lost() {
    const texts = [...going.flat(), ...waiting];
    going = [];
    waiting = [];
    comeBack(texts);
    remember();
  }

  // Another conversation is about to stand here: what waits was meant for this one, and comes back.
  function moved() {
    const texts = waiting;
    waiting = [];
    if (texts.length) comeBack(texts);
    remember();
  }

  // Into the field, before what has been typed since; where the field is not on the page, `left` does it.
  function comeBack(texts) {
    const field = document.querySelector(FIELD);
    back = joined([...texts, field ? field.value : back]);
    if (field) write(field, back);
    looked = !!field;
  }

  // The field when it comes into sight, on a page drawn anew: what had not arrived when the last one went.
  function left(typed) {
    const text = looked ? null : remembered();
    looked = true;
    if (!text) return undefined; // it stays as it is
    back = joined([text, typed]);
    return back;
  }

  // On a page drawn anew, which shows its first tab: to what had not arrived, where a person left it.
  function lead() {
    const chat = document.querySelector('#tabs > .tab-wrapper [role=tab][data-tab-id="chat"]');
    if (remembered() && chat) chat.click();
  }

  document.addEventListener("keypress", (event) => {
    if (event.key === "Enter" && !event.shiftKey && event.target.matches(FIELD)) send(event.target);
  }, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest(SEND)) send(document.querySelector(FIELD));
  }, true);
  document.addEventListener("input", ({ target }) => {
    if (!back || !target.matches(FIELD)) return;
    back = target.value;
    remember();
  });

  return { go, arrived, lost, moved, left, lead };
})() });
