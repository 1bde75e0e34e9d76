// What the pages do beside htmx. No state of the application lives here.
"use strict";

const root = document.documentElement;
const YEAR = 365 * 86400;
const remember = (name, value) => { document.cookie = `${name}=${value};path=/;max-age=${YEAR};samesite=lax`; };

// The server writes times in the visitor's zone, which only the browser knows. A first page that was written in another
// zone is asked for once more, but never twice: without cookies the zone stays what it is.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
if (root.dataset.zone !== zone) {
  const before = document.cookie.includes("cauce_zone=");
  remember("cauce_zone", zone);
  if (!before && document.cookie.includes("cauce_zone=") && document.querySelector("time")) location.reload();
}

// `tick` comes every two seconds while somebody can see the page: live parts ask anew when it comes.
setInterval(() => { if (!document.hidden) document.body.dispatchEvent(new CustomEvent("tick")); }, 2000);

// A long list of pages begins where the page of today is, and so does a row of tabs that is wider than a phone.
for (const here of document.querySelectorAll(".side a[aria-current], .tabs [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "nearest" });
}

// What scrolls sideways can be scrolled by keyboard, unless something in it takes the keyboard anyway.
function reach() {
  for (const part of document.querySelectorAll(".scroll, pre")) {
    const scrolls = part.scrollWidth > part.clientWidth && !part.querySelector("a, button, input, select, textarea, summary");
    if (scrolls) part.tabIndex = 0;
  }
}
reach();
addEventListener("resize", reach);
document.addEventListener("toggle", reach, true);
document.body.addEventListener("tick", reach);

function toggleTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  remember("cauce_theme", root.dataset.theme);
}

function toggle(opener) {
  const target = document.getElementById(opener.dataset.opens);
  if (target instanceof HTMLDialogElement) {
    target.showModal();
    return;
  }
  opener.setAttribute("aria-expanded", String(target.classList.toggle("open")));
}

function reveal(button) {
  const field = document.getElementById(button.dataset.reveals);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
}

async function copy(button) {
  const source = document.querySelector(button.dataset.copies);
  await navigator.clipboard.writeText(source.value ?? source.textContent);
  const label = button.querySelector("span") || button;
  const said = label.textContent;
  label.textContent = button.dataset.copied || said;
  setTimeout(() => { label.textContent = said; }, 2000);
}

for (const button of document.querySelectorAll("[data-reveals]")) button.hidden = false;

document.addEventListener("click", event => {
  const on = selector => event.target.closest(selector);
  if (on("[data-theme-switch]")) toggleTheme();
  else if (on("[data-reveals]")) reveal(on("[data-reveals]"));
  else if (on("[data-copies]")) copy(on("[data-copies]"));
  else if (on("[data-opens]")) toggle(on("[data-opens]"));
  else if (on("[data-closes]")) {
    const dialog = on("dialog");
    if (dialog) dialog.close();
    else on(".note, [data-closable]")?.remove();
  }
});

document.addEventListener("change", event => {
  if (event.target.matches("[data-submits]")) event.target.form.requestSubmit();
});

document.addEventListener("keydown", event => {
  if (event.key !== "Escape") return;
  const opener = document.querySelector("[data-opens][aria-expanded='true']");
  if (opener) { toggle(opener); opener.focus(); }
});

// What a part of a chart says, beside the pointer or the finger. The same stands in the table below each chart.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
let told = null;

function tell(event) {
  const part = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
  if (part !== told) {
    told?.classList.remove("on");
    part?.classList.add("on");
    told = part;
    tip.hidden = !part;
    if (part) tip.textContent = part.dataset.tip;
  }
  if (!part) return;
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 14 + box.width > innerWidth ? event.clientX - box.width - 14 : event.clientX + 14;
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${Math.max(6, Math.min(event.clientY - box.height / 2, innerHeight - box.height - 6))}px`;
}
document.addEventListener("pointermove", tell);
document.addEventListener("pointerdown", tell);
document.addEventListener("scroll", () => { tip.hidden = true; told = null; }, { passive: true });

// The camera, where the browser reads codes by itself: those of pick-ups and of orders, and the barcodes of products.
const CODES = ["qr_code", "data_matrix", "ean_13", "ean_8", "upc_a", "itf", "code_128", "code_39"];
const scan = document.querySelector("[data-scans]");
const scanner = document.getElementById("scanner");

async function look(formats) {
  const field = document.getElementById(scan.dataset.scans);
  const video = scanner.querySelector("video");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (fault) {
    const said = document.createElement("p");
    said.className = "fault";
    said.setAttribute("role", "alert");
    said.textContent = String(fault.message || fault);
    field.form.append(said);
    return;
  }
  video.srcObject = stream;
  scanner.showModal();
  await video.play();
  const detector = new BarcodeDetector({ formats });
  const end = () => { for (const track of stream.getTracks()) track.stop(); };
  scanner.addEventListener("close", end, { once: true });
  while (scanner.open) {
    const [found] = await detector.detect(video).catch(() => []);
    if (found) {
      field.value = found.rawValue;
      scanner.close();
      navigator.vibrate?.(60);
      const into = scan.dataset.presses;
      field.form.requestSubmit(into ? document.getElementById(into) : undefined);
      return;
    }
    await new Promise(resolve => setTimeout(resolve, 120));
  }
}

async function offerScan() {
  const known = await BarcodeDetector.getSupportedFormats();
  const formats = CODES.filter(format => known.includes(format));
  if (!formats.length) return;
  scan.hidden = false;
  scan.addEventListener("click", () => look(formats));
}

if (scan && scanner && "BarcodeDetector" in window && navigator.mediaDevices) offerScan();
