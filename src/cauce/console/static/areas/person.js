// The slider of days beside the date, and where the keyboard goes when a line of the drawing is opened.
"use strict";

const DAY = 86_400_000;

for (const form of document.querySelectorAll("[data-as-of]")) {
  const days = form.querySelector(".days");
  const date = form.querySelector("[type=date]");
  const first = Date.parse(`${form.dataset.first}T00:00:00Z`);
  days.hidden = form.dataset.first === form.dataset.last;
  let waiting = 0;
  days.addEventListener("input", () => {
    clearTimeout(waiting);
    date.value = new Date(first + days.value * DAY).toISOString().slice(0, 10);
    days.setAttribute("aria-valuetext", date.value);
  });
  date.addEventListener("input", () => { days.value = (Date.parse(`${date.value}T00:00:00Z`) - first) / DAY; });
  // Arrow keys change the day one by one: the page follows when they rest.
  days.addEventListener("change", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (date.value === form.dataset.last) location.assign(form.action);
      else form.requestSubmit();
    }, 600);
  });
}

document.addEventListener("click", event => {
  const link = event.target instanceof Element ? event.target.closest(".ring a") : null;
  if (!link) return;
  for (const other of document.querySelectorAll(".ring a.chosen")) other.classList.remove("chosen");
  link.classList.add("chosen");
});

// Parts that came after the page may hold what its address points at.
document.addEventListener("htmx:after:swap", () => {
  const wanted = location.hash.slice(1);
  if (/^(why-\d+|identifiers|shopping)$/.test(wanted)) document.getElementById(wanted)?.scrollIntoView();
}, { once: true });
