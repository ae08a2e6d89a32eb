// Choosing a type: those that fit while one types.

const search = document.getElementById("search");
const types = [...document.querySelectorAll(".choice")];

/** Show the types that have every word. */
function show() {
  const words = search.value.toLowerCase().split(/\s+/);
  for (const type of types) type.hidden = !words.every((word) => type.dataset.text.includes(word));
  document.getElementById("none").hidden = types.some((type) => !type.hidden);
}

if (search) {
  search.parentElement.hidden = false;
  search.addEventListener("input", show);
  search.addEventListener("keydown", (event) => {
    const fitting = types.filter((type) => !type.hidden);
    if (event.key === "Enter" && fitting.length === 1) location.assign(fitting[0].querySelector("a").href);
  });
  search.focus();
}
