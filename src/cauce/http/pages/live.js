// Refreshes the overview every two seconds while the page is visible.
const target = document.getElementById("live");
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch("/pages/overview", { headers: { accept: "text/html" } });
      if (answer.ok) target.innerHTML = await answer.text();
    } catch (_) { /* the server is away; the next round tries again */ }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
