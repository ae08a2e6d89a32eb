// The list: results while one types, and validating many with a bar that grows.

import { localTimes, notice, postForLines, rest } from "./app.js";

const filters = document.getElementById("filters");
const results = document.getElementById("results");
const told = document.getElementById("told"); // for those who listen: what came of it, not every row
let waiting, newest = 0;

/** Show what the filters ask for, unless something newer was asked meanwhile. */
async function refresh() {
  const values = [...new FormData(filters)].filter(([name, value]) => value && !(name === "sort" && value === "name"));
  const query = new URLSearchParams(values).toString();
  const address = query ? `/?${query}` : "/";
  const mine = ++newest;
  const response = await fetch(address, { headers: { "X-Part": "results" } });
  if (response.status === 401) return location.assign("/sign-in");
  const text = await response.text();
  if (mine !== newest) return;
  results.innerHTML = text;
  history.replaceState(null, "", address);
  told.textContent = document.getElementById("total").textContent;
  localTimes(results);
}

if (filters) {
  filters.querySelector("button").hidden = true;
  filters.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(refresh, event.target.type === "search" || event.target.name === "label" ? 200 : 0);
  });
  filters.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    refresh();
  });
  results.addEventListener("change", (event) => {
    if (event.target.id !== "all") return;
    for (const box of results.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
  });
  results.addEventListener("submit", validate);
}

/** Validate what was chosen; each row is shown anew as soon as it is done. */
async function validate(event) {
  event.preventDefault();
  const form = event.target, what = event.submitter.value;
  const chosen = form.querySelectorAll("input[name=id]:checked").length;
  if (what === "chosen" && !chosen) return notice("Choose data sources first.");
  const count = what === "chosen" ? chosen : Number(form.dataset.total);
  const progress = form.querySelector("progress"), tally = form.querySelector("#tally");
  const buttons = form.querySelectorAll("button");
  progress.max = count;
  progress.value = 0;
  progress.hidden = false;
  let good = 0, bad = 0, problem = null;
  const show = ({ id, status, row, error }) => {
    if (error) return (problem = error);
    ["passed", "warning"].includes(status) ? good++ : bad++;
    progress.value = good + bad;
    tally.textContent = `${good + bad} of ${count} validated: ${good} work, ${bad} do not.`;
    const old = document.getElementById(`row-${id}`);
    if (!old || !row) return;
    const wasChosen = old.querySelector("input[name=id]").checked;
    old.outerHTML = row;
    const now = document.getElementById(`row-${id}`);
    now.querySelector("input[name=id]").checked = wasChosen;
    localTimes(now);
  };
  try {
    rest(buttons, true);
    if (!(await postForLines(form, event.submitter, show))) problem = "They cannot be validated just now. Try again in a moment.";
  } catch {
    problem = "The connection was lost. Try again in a moment.";
  }
  rest(buttons, false);
  progress.hidden = true;
  told.textContent = tally.textContent;
  document.dispatchEvent(new Event("validated"));
  if (problem) notice(problem);
}
