// The form of a data source: fields that apply, rows, secrets, checks as they end, and mistakes without typing twice.

import { eachLine, localTimes, rest } from "./app.js";

const form = document.getElementById("form");
const summary = document.getElementById("summary");
const checks = document.getElementById("checks");
const verdict = document.getElementById("verdict");
const validation = document.getElementById("validation");
const busy = document.getElementById("busy");
const takeApart = document.getElementById("take-apart");

/** Return the value of a field, as the page has it. */
function valueOf(name) {
  const inputs = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)].filter((input) => input.type !== "hidden");
  const input = inputs.at(-1);
  if (!input) return null;
  return input.type === "checkbox" ? input.checked : input.value;
}

/** Show or hide an element; what is hidden is not sent. */
function offer(element, wanted) {
  element.hidden = !wanted;
  const inner = element.matches("input, select, textarea, fieldset") ? [element] : [];
  for (const input of [...inner, ...element.querySelectorAll("input, select, textarea, fieldset")]) {
    input.disabled = input.closest("[hidden]") !== null;
  }
}

/** Show the fields that apply with what is chosen so far. */
function update() {
  for (const field of form.querySelectorAll(".field.secret")) {
    const how = field.querySelector("input[type=radio]:checked")?.value ?? "value";
    for (const input of field.querySelectorAll("[data-how]")) {
      input.hidden = input.dataset.how !== how;
      input.disabled = input.closest("[hidden]") !== null;
    }
  }
  for (const field of form.querySelectorAll(".nested")) {
    const name = field.dataset.name;
    const box = field.querySelector(`:scope > label > input[type=checkbox]`);
    const kind = field.querySelector(`:scope > select`)?.value;
    for (const inside of field.querySelectorAll(":scope > .inside")) {
      offer(inside, kind === undefined ? !box || box.checked : inside.dataset.as === kind);
    }
  }
  for (const field of form.querySelectorAll("[data-when]")) {
    const above = field.dataset.name.slice(0, field.dataset.name.lastIndexOf("/") + 1);
    const fits = Object.entries(JSON.parse(field.dataset.when)).every(([key, values]) =>
      values.some((value) => String(value) === String(valueOf(above + key))),
    );
    offer(field, fits);
  }
}

/** Put a row for one more entry at the end of a map. */
function addRow(rows) {
  const all = rows.querySelectorAll(".row");
  const fresh = all[all.length - 1].cloneNode(true);
  for (const input of fresh.querySelectorAll("input")) input.value = "";
  for (const option of fresh.querySelectorAll("option[value=keep], option[value=clear]")) option.remove();
  for (const element of fresh.querySelectorAll("[aria-label]")) {
    element.setAttribute("aria-label", element.getAttribute("aria-label").replace(/\d+$/, all.length + 1));
  }
  all[all.length - 1].after(fresh);
  fresh.querySelector("input").focus();
}

/** Leave one empty row in a map that has no other; they are for those without scripts. */
function trim(rows) {
  const all = [...rows.querySelectorAll(".row")];
  const empty = all.filter((row) => [...row.querySelectorAll("input")].every((input) => !input.value));
  empty.slice(empty.length === all.length ? 1 : 0).forEach((row) => row.remove());
}

/** Take a row out of a map; the last one is emptied only. */
function removeRow(row) {
  const rows = row.closest(".rows");
  if (rows.querySelectorAll(".row").length > 1) row.remove();
  else for (const input of row.querySelectorAll("input")) input.value = "";
  rows.querySelector(".add").focus();
}

/** Take what was said before away. */
function forget() {
  summary.hidden = true;
  validation.hidden = true;
  for (const slot of form.querySelectorAll(".errors")) slot.replaceChildren();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const note of form.querySelectorAll(":scope > .note")) note.remove();
}

/** Show what is wrong, each thing at its field. */
function showMistakes({ summary: html, fields, again }) {
  summary.innerHTML = html;
  summary.hidden = false;
  for (const [id, errors] of Object.entries(fields)) {
    document.getElementById(`${id}-errors`).innerHTML = errors;
    for (const input of form.querySelectorAll(`[aria-describedby~="${CSS.escape(id)}-errors"]:not(fieldset)`)) {
      input.setAttribute("aria-invalid", "true");
    }
  }
  for (const id of again) {
    const replace = document.getElementById(id).querySelector("input[type=radio][value=value]");
    if (replace) replace.checked = true;
  }
  update();
  summary.focus();
  summary.scrollIntoView({ block: "center" });
}

/** Show each check as it ends. */
async function showChecks(response) {
  checks.replaceChildren();
  verdict.replaceChildren();
  validation.hidden = false;
  validation.scrollIntoView({ block: "nearest" });
  await eachLine(response, ({ html, status }) => {
    (status ? verdict : checks).insertAdjacentHTML("beforeend", html);
    if (status) rest(form.querySelectorAll(".save button"), false); // nobody has to wait for the end of the stream
    validation.scrollIntoView({ block: "nearest" });
  });
  localTimes(validation);
}

/** Send the form. What can only be shown on a page of its own is sent again, the plain way. */
async function send(event) {
  event.preventDefault();
  const submitter = event.submitter ?? form.querySelector("button[type=submit]");
  const action = submitter.getAttribute("formaction") ?? form.getAttribute("action");
  const buttons = form.querySelectorAll(".save button");
  const body = new URLSearchParams(new FormData(form, submitter));
  forget();
  rest(buttons, true);
  busy.textContent = submitter.id === "validate" || submitter.name === "verify" ? "Validating …" : "Saving …";
  let plain = false;
  try {
    const response = await fetch(action, { method: "POST", headers: { "X-Part": "form" }, body });
    const kind = response.headers.get("content-type") ?? "";
    if (response.status === 401) location.assign("/sign-in");
    else if (kind.startsWith("application/x-ndjson")) await showChecks(response);
    else if (kind.startsWith("application/json")) {
      const answer = await response.json();
      if (response.ok) location.assign(answer.see);
      else showMistakes(answer);
    } else plain = true;
  } catch {
    busy.textContent = "The service does not answer. Nothing was saved as far as this page knows.";
  }
  rest(buttons, false);
  if (busy.textContent.endsWith("…")) busy.textContent = "";
  if (plain) {
    form.removeEventListener("submit", send);
    form.requestSubmit(submitter);
  }
}

/** Fill in the fields that the pasted connection string stands for; its password never comes from the service. */
async function fill() {
  const input = form.querySelector('[name="/connection_string"]');
  const slot = input.closest(".field").querySelector(".errors");
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(`${form.getAttribute("action")}/connection-string`, { method: "POST", headers: { "X-Part": "form" }, body });
  if (response.status === 401) return location.assign("/sign-in");
  const answer = await response.json();
  slot.replaceChildren();
  if (!response.ok) {
    const error = document.createElement("p");
    error.className = "error";
    error.textContent = answer.message;
    slot.append(error);
    return input.focus();
  }
  for (const [name, value] of Object.entries(answer.fields)) put(name, value);
  const password = /^[^:]*:\/\/[^:@/?#]*:([^@/?#]*)@/.exec(input.value)?.[1];
  if (password && answer.secrets.includes("/password")) put("/password", decoded(password));
  input.value = "";
  update();
  form.querySelector(`[name="${CSS.escape(Object.keys(answer.fields)[0] ?? "/host")}"]`)?.focus();
}

/** Return a part of an address as it is meant; as it is written, where that is no encoding. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Put a value into a field. */
function put(name, value) {
  const input = [...form.querySelectorAll(`[name="${CSS.escape(name)}"]`)].at(-1);
  if (input) input.value = value;
}

form.addEventListener("change", update);
form.addEventListener("input", (event) => {
  const how = event.target.dataset.how;
  const radio = how && event.target.value && event.target.closest(".secret").querySelector(`input[type=radio][value=${how}]`);
  if (radio && !radio.checked) radio.checked = true;
});
form.addEventListener("click", (event) => {
  if (event.target.matches(".add")) addRow(event.target.closest(".rows"));
  if (event.target.matches(".remove")) removeRow(event.target.closest(".row"));
});
form.addEventListener("change", (event) => {
  if (!event.target.matches(".row select")) return;
  const value = event.target.closest(".row").querySelector('[name$="#value"]');
  value.type = event.target.value === "ref" ? "text" : "password";
  value.placeholder = event.target.value === "ref" ? "env:NAME or file:/path" : event.target.value === "keep" ? "Set" : "Value";
});
form.addEventListener("submit", send);
for (const button of form.querySelectorAll(".add, .remove")) button.hidden = false;
for (const rows of form.querySelectorAll(".rows")) trim(rows);
if (takeApart) {
  takeApart.hidden = false;
  takeApart.addEventListener("click", fill);
}
form.classList.add("live");
update();
if (!summary.hidden) summary.focus();
