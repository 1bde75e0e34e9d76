// The editor of statements: Ctrl+Enter, Tab, columns to click, a stop button while something runs.
"use strict";

const asking = document.querySelector("form[data-statement]");
const editor = document.getElementById("statement");
const stopping = document.getElementById("stop");

editor?.addEventListener("keydown", event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    asking.requestSubmit();
  }
});

const fresh = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), byte => byte.toString(16).padStart(2, "0")).join("");

document.addEventListener("htmx:before:request", event => {
  if (event.target !== asking) return;
  stopping.hidden = false;
  document.getElementById("stopped").textContent = "";
});
document.addEventListener("htmx:finally:request", event => {
  if (event.target !== asking) return;
  stopping.hidden = true;
  asking.elements.run.value = fresh();
});

document.addEventListener("click", event => {
  const column = event.target.closest("[data-inserts]");
  if (column) {
    editor.focus();
    editor.setRangeText(column.dataset.inserts, editor.selectionStart, editor.selectionEnd, "end");
  }
  const place = event.target.closest("[data-goes-to]");
  if (place) {
    const [line, at] = place.dataset.goesTo.split(":").map(Number);
    const before = editor.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    editor.focus();
    editor.setSelectionRange(before + at - 1, before + at);
  }
});

// What is saved is what stands in the editor now.
document.addEventListener("submit", event => {
  if (event.target.matches("[data-takes-statement]")) event.target.elements.statement.value = editor.value;
}, true);
