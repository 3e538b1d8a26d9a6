// One shelf of conversations in several tabs of a browser. Gradio's BrowserState reads its storage once, when the page
// is drawn, and writes all that it holds: a tab would write back what another has deleted, and over what another has
// kept. So every tab tells the others what it holds (they hear it, and no server does), and two stores are joined by
// what was done last to each conversation; what was deleted stays deleted. It knows no widgets.
window.shohomormi = Object.assign(window.shohomormi || {}, { tabs: (function () {
  const NAME = "shohomormi_conversations"; // also where BrowserState keeps it
  const MOST = 900000; // characters of all conversations together: what a browser's storage holds of Bengali, encrypted
  const REMEMBERED = 1000; // deleted conversations, the newest; by their ids alone
  const channel = "BroadcastChannel" in window ? new BroadcastChannel(NAME) : { postMessage() {} };
  let known = { on: true, list: [] }; // all that this tab has held or heard of
  let listener = () => {};

  const touched = (one) => one.changed || one.at;

  // One store of two: {on, switched, list, gone, emptied, crowded}. The same whichever comes first, and however often.
  function join(one, other) {
    const [early, late] = (one.switched || 0) <= (other.switched || 0) ? [one, other] : [other, one];
    const emptied = Math.max(one.emptied || 0, other.emptied || 0);
    const gone = { ...one.gone };
    for (const [id, at] of Object.entries(other.gone || {})) gone[id] = Math.max(at, gone[id] || 0);
    const all = new Map();
    for (const conversation of [...one.list, ...other.list]) {
      const there = all.get(conversation.id);
      if (!there || touched(there) < touched(conversation)) all.set(conversation.id, conversation);
    }
    const list = [...all.values()].filter((each) => !gone[each.id] && touched(each) > emptied).sort((a, b) => b.at - a.at);
    let room = MOST;
    const fitting = list.filter((each, place) => (room -= JSON.stringify(each).length) >= 0 || place === 0);
    const full = fitting.length < list.length || ((one.crowded || other.crowded) && room < MOST / 10);
    const remembered = Object.entries(gone).sort((a, b) => b[1] - a[1]).slice(0, REMEMBERED);
    return { on: late.switched ? late.on : early.on && late.on, switched: late.switched || 0, list: fitting,
      gone: Object.fromEntries(remembered), emptied, crowded: !!full };
  }

  // A store with all that the other tabs have done.
  function current(store) {
    known = join(known, store && store.list ? store : { on: known.on, list: [] });
    return known;
  }
  // A store that this tab has changed: the others hear of it.
  function tell(store) {
    channel.postMessage(JSON.stringify(current(store))); // as text, for what Gradio holds cannot be sent as it is
    return known;
  }
  const without = (store, ids, at) => ({ ...store, gone: { ...store.gone, ...Object.fromEntries(ids.map((id) => [id, at])) } });
  // Everything is deleted, here and wherever the page is open.
  const emptied = (store, at) => ({ ...without(store, store.list.map((one) => one.id), at), emptied: at });

  channel.onmessage = ({ data }) => { known = join(known, JSON.parse(data)); listener(); };
  window.addEventListener("storage", ({ key, newValue }) => { // "forget everything", on the page about privacy
    if ((key !== NAME && key !== null) || newValue !== null) return;
    known = join(known, emptied(known, Date.now()));
    listener();
  });

  const gone = (id) => !!id && !!(known.gone || {})[id];
  return { join, current, tell, without, emptied, gone, listen: (heard) => { listener = heard; } };
})() });
