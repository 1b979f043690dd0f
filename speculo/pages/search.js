const sections = JSON.parse(document.getElementById("sections").textContent);
const asked = document.getElementById("q");
const MOST = 50, AROUND = 90;

// A word, where it begins: "ridge" is not in "Cambridge".
const begins = (words) => {
  const plain = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${plain.join("|")})`, "giu");
};

// Text with the words marked. No name can become a tag: nothing is read as HTML.
function marked(text, pattern, tag) {
  const made = document.createElement(tag);
  let place = 0;
  for (const found of text.matchAll(pattern)) {
    const mark = document.createElement("mark");
    mark.textContent = found[0];
    made.append(text.slice(place, found.index), mark);
    place = found.index + found[0].length;
  }
  made.append(text.slice(place));
  return made;
}

// Whole words around the first one that was asked for.
function excerpt(text, pattern) {
  const first = Math.max(0, text.search(pattern) - AROUND);
  const begin = first && text.lastIndexOf(" ", first) + 1, end = text.indexOf(" ", first + 3 * AROUND);
  return (begin ? "… " : "") + (end < 0 ? text.slice(begin) : `${text.slice(begin, end)} …`);
}

function entry({ chapter, title, address, text }, pattern) {
  const item = document.createElement("li");
  const link = marked(title === chapter ? chapter : `${chapter} › ${title}`, pattern, "a");
  link.href = address;
  item.append(link, marked(excerpt(text, pattern), pattern, "p"));
  return item;
}

function search() {
  const words = asked.value.split(/\s+/).filter(Boolean), pattern = begins(words);
  const times = (text, each) => [...text.matchAll(each)].length;
  const all = [];
  for (const each of words.length ? sections : []) {
    const counts = words.map((word) => times(`${each.title} ${each.text}`, begins([word])));
    const score = 10 * times(each.title, pattern) + Math.min(...counts);
    if (counts.every(Boolean)) all.push([score, each]);
  }
  all.sort((one, other) => other[0] - one[0]);
  const shown = all.slice(0, MOST).map(([, each]) => entry(each, pattern));
  document.getElementById("found").replaceChildren(...shown);
  const said = `${all.length || "No"} section${all.length === 1 ? "" : "s"}`;
  const some = all.length > MOST ? `; the first ${MOST} are shown` : "";
  document.getElementById("count").textContent = words.length ? `${said}${some}.` : "";
}

asked.value = new URLSearchParams(location.search).get("q") ?? "";
asked.addEventListener("input", search);
search();
