const sections = JSON.parse(document.getElementById("sections").textContent);
const asked = document.getElementById("q");
const MOST = 50, AROUND = 90;

// Text with the words marked. No name can become a tag: nothing is read as HTML.
function marked(text, words, tag) {
  const made = document.createElement(tag), low = text.toLowerCase();
  let place = 0;
  while (place < text.length) {
    const next = words.map((word) => [low.indexOf(word, place), word.length]).filter(([at]) => at >= 0).sort((a, b) => a[0] - b[0])[0];
    if (!next) break;
    const mark = document.createElement("mark");
    mark.textContent = text.slice(next[0], next[0] + next[1]);
    made.append(text.slice(place, next[0]), mark);
    place = next[0] + next[1];
  }
  made.append(text.slice(place));
  return made;
}

function entry(section, words) {
  const item = document.createElement("li"), link = marked(`${section.chapter} › ${section.title}`, words, "a");
  const first = Math.max(0, section.text.toLowerCase().indexOf(words[0]) - AROUND);
  link.href = section.address;
  item.append(link, marked(`${first ? "… " : ""}${section.text.slice(first, first + 3 * AROUND)} …`, words, "p"));
  return item;
}

function search() {
  const words = asked.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = (text) => words.every((word) => text.toLowerCase().includes(word));
  const all = words.length ? sections.filter((each) => has(`${each.title} ${each.text}`)) : [];
  all.sort((a, b) => has(b.title) - has(a.title)); // where the title has them, first
  document.getElementById("found").replaceChildren(...all.slice(0, MOST).map((each) => entry(each, words)));
  document.getElementById("count").textContent = !words.length ? ""
    : `${all.length || "No"} section${all.length === 1 ? " has" : "s have"} all of it${all.length > MOST ? `; the first ${MOST} are shown` : ""}.`;
}

asked.value = new URLSearchParams(location.search).get("q") ?? "";
asked.addEventListener("input", search);
asked.form.addEventListener("submit", (event) => event.preventDefault());
search();
