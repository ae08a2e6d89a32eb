// On every page: times in the reader's zone, and what the other scripts share.

/** Write times as the reader's clock shows them: how long ago, with the exact time on hover. */
export function localTimes(within = document) {
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12], ["year", Infinity]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const element of within.querySelectorAll("time[datetime]")) {
    const instant = new Date(element.dateTime);
    let count = (instant - Date.now()) / 1000;
    for (const [unit, size] of steps) {
      if (Math.abs(count) < size) {
        element.textContent = unit === "second" && Math.abs(count) < 5 ? "just now" : words.format(Math.round(count), unit);
        break;
      }
      count /= size;
    }
    element.title = instant.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}

/** Tell the reader something in passing. */
export function notice(text) {
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  document.getElementById("notices").append(paragraph);
  setTimeout(() => paragraph.remove(), 6000);
}

/** Take buttons out of use for a while. They stay in reach: one that is disabled loses the keyboard's place. */
export function rest(buttons, isResting) {
  for (const button of buttons) {
    if (isResting) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
}

/** A button that is out of use sends nothing. */
document.addEventListener("submit", (event) => {
  if (event.submitter?.getAttribute("aria-disabled") !== "true") return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, { capture: true });

/**
 * Post a form and hand over each line of JSON that is answered, as it comes.
 * Returns false where the answer is something else, so that the form can be sent the plain way.
 */
export async function postForLines(form, submitter, show) {
  const response = await fetch(form.getAttribute("action"), {
    method: "POST",
    headers: { "X-Part": "lines" },
    body: new URLSearchParams(new FormData(form, submitter)),
  });
  if (response.status === 401) {
    location.assign("/sign-in");
    return true;
  }
  if (!response.ok || !response.headers.get("content-type").startsWith("application/x-ndjson")) return false;
  await eachLine(response, show);
  return true;
}

/** Hand over each line of JSON of an answer, as it comes. */
export async function eachLine(response, show) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.forEach((line) => show(JSON.parse(line)));
  }
}

/** A notice is for once: reloading the page, or sharing its address, must not repeat it. */
function forgetNotice() {
  const address = new URL(location.href);
  if (!address.searchParams.has("notice")) return;
  address.searchParams.delete("notice");
  history.replaceState(null, "", address);
}

forgetNotice();
localTimes();
setInterval(localTimes, 30_000);
