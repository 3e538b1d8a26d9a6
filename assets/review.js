// The blind review by keyboard: 1 to 4 vote, N goes on, U takes the last vote back. Bengali digits count as well.
// A key presses the button that is on the page, so what a key may do is what the page allows at that moment; while a
// person writes in a field, keys are letters.
(function () {
  const buttons = {
    1: "review-left", 2: "review-right", 3: "review-both_good", 4: "review-both_bad",
    "১": "review-left", "২": "review-right", "৩": "review-both_good", "৪": "review-both_bad",
    n: "review-next", u: "review-undo", "ন": "review-next", "উ": "review-undo",
  };
  const writing = "input:not([type=radio]):not([type=checkbox]):not([type=button]), textarea, select, [contenteditable=true]";

  document.addEventListener("keydown", function (event) {
    const name = buttons[event.key] || buttons[event.key.toLowerCase()];
    if (!name || event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest(writing)) return;
    const button = document.getElementById(name);
    if (!button || button.disabled || button.offsetParent === null) return;
    event.preventDefault();
    button.click();
  });
})();
