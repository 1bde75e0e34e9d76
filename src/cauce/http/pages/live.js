// Refreshes the overview every two seconds while the page is visible; the place of the keyboard is kept.
const target = document.getElementById("live");
const address = "/pages/overview?language=" + document.documentElement.lang;
const places = () => [...target.querySelectorAll("a, summary, [tabindex]")];
let shown = "";

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(address, { headers: { accept: "text/html" } });
      if (answer.redirected) {
        location.reload(); // the key was revoked: sign in again
        return;
      }
      const text = answer.ok ? await answer.text() : shown;
      if (text !== shown) {
        const place = places().indexOf(document.activeElement);
        target.innerHTML = shown = text;
        if (place >= 0) places()[place]?.focus({ preventScroll: true });
      }
    } catch (_) { /* the server is away; the next round tries again */ }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
