// What a person has sent, until it stands in the conversation. The server answers each message, and on a slow way the
// next one may be written before that answer comes: the field is empty at once, one message at a time is on its way,
// and what is sent meanwhile waits here and follows it. Where the connection breaks, Gradio reloads the page, perhaps
// often; what has not arrived is remembered for that, by this tab alone. It knows no conversation.
window.shohomormi = Object.assign(window.shohomormi || {}, { outbox: (function () {
  const NAME = "shohomormi_outbox";
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

  // Takes what stands in the field; what the field holds then.
  function send(text) {
    if (text.trim()) waiting.push(text.trim());
    back = "";
    remember();
    return "";
  }

  // What goes now: more than one where several were sent while another was on its way. Empty where all has gone.
  function go() {
    going.push(waiting);
    waiting = [];
    return joined(going[going.length - 1]);
  }

  // The field after an answer, undefined where it stays as it is: what may not be said yet, then what was typed since.
  function arrived(kept, typed) {
    going.shift();
    if (kept) back = joined([kept, typed]);
    remember();
    return kept ? back : undefined;
  }

  // The field after an error: everything that was sent and has not arrived comes back.
  function lost(typed) {
    back = joined([...going.flat(), ...waiting, typed]);
    going = [];
    waiting = [];
    remember();
    return back;
  }

  // The field, likewise, when it comes into sight on a page drawn anew: what had not arrived when the last one went.
  function left(typed) {
    const text = looked ? null : remembered();
    looked = true;
    if (!text) return undefined;
    back = joined([text, typed]);
    return back;
  }

  document.addEventListener("input", ({ target }) => {
    if (!back || !target.matches("#chat-message textarea")) return;
    back = target.value;
    remember();
  });

  return { send, go, arrived, lost, left };
})() });
