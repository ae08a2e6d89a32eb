// Plugins: looking for new ones without leaving the page, searching among many types, and copying commands.

import { notice, rest } from "./app.js";

const plugins = document.getElementById("plugins");
const reload = document.getElementById("reload");

/** Show what only works with a script. */
function prepare() {
  for (const hidden of document.querySelectorAll("[data-copy], .find")) hidden.hidden = false;
}

/** Look for plugins, and show what there is now; the keyboard goes on where the changes are told. */
async function lookAgain(event) {
  event.preventDefault();
  const button = reload.querySelector("button"), text = button.textContent;
  button.setAttribute("aria-busy", "true");
  rest([button], true);
  button.textContent = "Looking…";
  try {
    const body = new URLSearchParams(new FormData(reload));
    const response = await fetch(reload.getAttribute("action"), { method: "POST", headers: { "X-Part": "plugins" }, body });
    if (response.status === 401) return location.assign("/sign-in");
    if (!response.ok) return notice("Plugins cannot be looked for just now. Try again in a moment.");
    plugins.innerHTML = await response.text();
    prepare();
    document.getElementById("changes").focus();
  } catch {
    notice("The service does not answer. Try again in a moment.");
  } finally {
    button.removeAttribute("aria-busy");
    rest([button], false);
    button.textContent = text;
  }
}

/** Show the types that have all words that were typed. */
function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const types = [...plugins.querySelectorAll(".type")];
  for (const type of types) type.hidden = !words.every((word) => type.dataset.words.includes(word));
  const left = types.filter((type) => !type.hidden).length;
  document.getElementById("found").textContent = words.length ? `${left} of ${types.length} types` : "";
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    notice("Copied.");
  } catch {
    notice("This browser does not let a page copy. Select the text instead.");
  }
}

prepare();
reload?.addEventListener("submit", lookAgain);
plugins?.addEventListener("input", (event) => event.target.id === "find" && search(event.target.value));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
