// The picture of health: asked for after the page, and again when something was validated.

import { notice } from "./app.js";

const section = document.getElementById("summary");

/** Show the picture as it is now; whoever has opened the rest of it keeps it open. */
async function refresh() {
  const response = await fetch(section.dataset.address, { headers: { "X-Part": "summary" } });
  if (response.status === 401) return location.assign("/sign-in");
  if (!response.ok) return notice("The health by type cannot be told just now.");
  if ("awaited" in section.dataset) { // what is below stays where it is
    section.style.minHeight = `${section.getBoundingClientRect().height}px`;
  }
  const isOpen = section.querySelector("details")?.open;
  section.innerHTML = await response.text();
  if (isOpen) section.querySelector("details")?.setAttribute("open", "");
  delete section.dataset.awaited;
}

if (section) {
  if (section.dataset.fresh !== "yes") refresh();
  document.addEventListener("validated", refresh);
}
