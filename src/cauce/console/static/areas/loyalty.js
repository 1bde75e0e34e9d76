// Prints a statement or a card (its style sheet leaves out the rest), and leads from a fault to its line in the editor.
"use strict";

document.addEventListener("click", event => {
  if (event.target.closest("[data-prints]")) window.print();
  const place = event.target.closest("[data-goes-to-line]");
  const editor = document.getElementById("text");
  if (!place || !editor) return;
  const lines = editor.value.split("\n");
  const line = Math.min(Number(place.dataset.goesToLine), lines.length) - 1;
  const start = lines.slice(0, line).join("\n").length + (line ? 1 : 0);
  editor.focus();
  editor.setSelectionRange(start, start + lines[line].length);
});
