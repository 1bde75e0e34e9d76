// The pick-up desk where there is little signal: what was pressed is sent once, whenever that is possible.
"use strict";

const WAITING = "cauce_desk_waiting";
const PARTIAL = { "hx-request": "true", "hx-request-type": "partial", "content-type": "application/x-www-form-urlencoded" };
const AGAIN_MS = 5000;
let sending = false;

const kept = () => { try { return JSON.parse(localStorage.getItem(WAITING)) || []; } catch { return []; } };
const keep = all => { try { localStorage.setItem(WAITING, JSON.stringify(all)); } catch { /* a browser that keeps nothing */ } };

function showWaiting() {
  const waits = kept().length > 0;
  for (const banner of document.querySelectorAll("[data-offline]")) banner.hidden = !waits;
}

function say(form, text) {
  let place = form.querySelector("[data-said]");
  if (!place) {
    place = document.createElement("p");
    place.className = "fault";
    place.dataset.said = "";
    place.setAttribute("role", "alert");
    form.append(place);
  }
  place.textContent = text;
}

const post = (action, body) => fetch(action, { method: "POST", headers: PARTIAL, body });

// What an answer asks for: another page, a part of this one anew, or a sentence about what went wrong.
async function heed(response, form) {
  const to = response.headers.get("hx-redirect");
  const text = await response.text();
  if (to) {
    location.assign(to);
  } else if (response.headers.get("hx-refresh")) {
    location.reload();
  } else if (response.ok && form?.isConnected) {
    const card = form.closest("[data-replaced]");
    if (!card) return location.reload();
    const made = new DOMParser().parseFromString(text, "text/html").body.firstElementChild;
    made ? card.replaceWith(made) : card.remove();
    made?.querySelector("button")?.focus({ preventScroll: true });
    window.htmx?.process?.(made || document.body);
  } else if (form?.isConnected) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const said = ["[role=alert]", ".fault, .note.bad span, .problem p", "p"].map(each => page.querySelector(each)).find(Boolean);
    say(form, said?.textContent.trim() || response.statusText);
    renew(form);
  }
}

// What was refused is another thing when it is sent again after a change.
function renew(form) {
  const field = form.elements.namedItem("key");
  if (field) field.value = Array.from(crypto.getRandomValues(new Uint8Array(12)), byte => byte.toString(16).padStart(2, "0")).join("");
}

document.addEventListener("submit", async event => {
  const form = event.target;
  if (!form.matches("form[data-tolerant]")) return;
  event.preventDefault();
  if (form.classList.contains("sending") || form.classList.contains("unsent")) return;
  const body = new URLSearchParams(new FormData(form, event.submitter)).toString();
  form.classList.add("sending");
  try {
    if (kept().length) throw new TypeError("others wait before it");
    await heed(await post(form.action, body), form);
  } catch (fault) {
    if (!(fault instanceof TypeError)) throw fault;
    keep([...kept(), { action: form.action, body }]);
    form.classList.add("unsent");
    form.querySelector("[aria-pressed]")?.setAttribute("aria-pressed", "true");
    showWaiting();
  } finally {
    form.classList.remove("sending");
  }
});

// Everything that waits, in the order in which it was pressed; its key makes the server do it once.
async function flush() {
  if (sending || !kept().length) return;
  sending = true;
  try {
    while (kept().length) {
      const [first, ...rest] = kept();
      const response = await post(first.action, first.body);
      if (response.status >= 500) break;
      keep(rest);
    }
    if (!kept().length) location.reload();
  } catch { /* still no connection */ } finally {
    sending = false;
    showWaiting();
  }
}

addEventListener("online", flush);
setInterval(flush, AGAIN_MS);
showWaiting();
flush();
