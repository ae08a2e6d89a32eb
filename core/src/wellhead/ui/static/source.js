// One data source: validating it check by check, and buttons that copy.

import { localTimes, notice, postForLines, rest } from "./app.js";

const form = document.getElementById("validate");
const live = document.getElementById("live");

/** Validate; each check is shown as it ends, in place of those of the last run; then all that the page says of health. */
async function validate(event) {
  event.preventDefault();
  const button = form.querySelector("button"), last = document.getElementById("last");
  const checks = live.querySelector("ul"), outcome = live.querySelector("div");
  let ended = "broken_off";
  rest([button], true);
  button.setAttribute("aria-busy", "true");
  checks.replaceChildren();
  outcome.textContent = "Validating …";
  live.style.minHeight = `${last.offsetHeight}px`;
  live.hidden = false;
  last.hidden = true;
  try {
    const streamed = await postForLines(form, null, ({ html, status }) => {
      (status ? outcome : checks).insertAdjacentHTML("beforeend", html);
      if (status) ended = status;
    });
    if (!streamed) return form.submit();
    if (ended !== "broken_off") await refresh();
  } catch {
    ended = "broken_off";
  }
  const verdict = outcome.querySelector(".verdict");
  notice(ended === "broken_off" ? "The validation was broken off. Try again in a moment." : verdict.textContent);
  document.getElementById("last").hidden = false;
  live.hidden = true;
  rest([button], false);
  button.removeAttribute("aria-busy");
}

/** Show what the page says now of state and health. */
async function refresh() {
  const response = await fetch(location.pathname);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ["state", "timeline", "last"]) {
    const found = page.getElementById(id);
    if (!found) continue;
    document.getElementById(id).replaceWith(found);
    localTimes(found);
    offerCopies(found);
  }
}

/** Put a button beside each value that one may want elsewhere; only where the browser lets a page copy. */
function offerCopies(within) {
  if (!navigator.clipboard) return;
  for (const value of within.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${value.dataset.copy}`);
    button.addEventListener("click", () => copy(value, button));
    value.after(button);
  }
}

async function copy(value, button) {
  try {
    await navigator.clipboard.writeText(value.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

form?.addEventListener("submit", validate);
offerCopies(document);
