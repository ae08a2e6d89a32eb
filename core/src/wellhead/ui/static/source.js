// One data source: validating it check by check, and buttons that copy.

import { localTimes, notice, postForLines } from "./app.js";

const form = document.getElementById("validate");
const live = document.getElementById("live");

/** Validate; each check is shown as it ends, then all that the page says of health. */
async function validate(event) {
  event.preventDefault();
  const button = form.querySelector("button"), health = document.getElementById("health");
  const checks = live.querySelector("ul"), verdict = live.querySelector("p");
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  checks.replaceChildren();
  verdict.textContent = "Validating …";
  live.hidden = false;
  health.hidden = true;
  let done = false;
  try {
    const streamed = await postForLines(form, null, ({ html, status }) => {
      if (status) {
        verdict.innerHTML = "";
        verdict.insertAdjacentHTML("beforebegin", html);
        done = true;
      } else {
        checks.insertAdjacentHTML("beforeend", html);
      }
    });
    if (!streamed) return form.submit();
    if (done) await refresh();
  } catch {
    done = false;
  }
  if (!done) notice("The validation was broken off. Try again in a moment.");
  document.getElementById("health").hidden = false;
  live.hidden = true;
  live.querySelector("p").outerHTML = '<p class="verdict"></p>';
  button.disabled = false;
  button.removeAttribute("aria-busy");
}

/** Show what the page says now of state and health. */
async function refresh() {
  const response = await fetch(location.pathname);
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ["state", "health"]) {
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
