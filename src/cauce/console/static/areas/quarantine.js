// A portion of many is done: the form asks for the next one by itself. "Stop here" leads away in time.
const portion = document.querySelector("form[data-goes-on]");
if (portion) setTimeout(() => portion.requestSubmit(), 400);
