// Puts the parts together. The address says which word and which rows are shown, so that they can be linked and gone
// back to.

const number = (n) => n.toLocaleString("en");

function switchTheme() {
  const root = document.documentElement;
  const dark = getComputedStyle(root).colorScheme === "dark" ||
    (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("lexkit-theme", root.dataset.theme);
  } catch {
    // forbidden; then the choice lasts as long as the page
  }
}

async function start() {
  document.getElementById("theme").addEventListener("click", switchTheme);
  const packed = document.getElementById("data").textContent.trim();
  if (!("DecompressionStream" in window)) {
    document.getElementById("loading").textContent =
      "This browser is too old to unpack the relations: one of 2023 or later can. The counts below are complete.";
    return;
  }
  new Page(new Relations(await unpack(packed)));
  document.documentElement.dataset.ready = "";
}

class Page {
  constructor(relations) {
    document.getElementById("loading").hidden = true;
    for (const part of document.querySelectorAll(".interactive")) part.hidden = false;
    this.relations = relations;
    this.section = document.getElementById("explore");
    this.explorer = new Explorer(relations);
    this.field = new WordField(relations, (text) => {
      location.hash = link(text);
    });
    this.table = new RelationTable(relations, () => this.write("table"));
    if (document.getElementById("keep-rate-choice")) chooseKeepRate();
    addEventListener("hashchange", () => this.follow());
    const state = readAddress(location.hash);
    this.table.read(state);
    this.showWord(state.get("word") ?? this.section.dataset.start);
    if (state.size) this.scrollTo(this.targetOf(state));
    else if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }

  showWord(text) {
    this.word = text;
    this.field.input.value = text;
    if (text === "") return;
    const word = this.relations.find(text);
    if (word >= 0) this.explorer.show(word);
    else this.explorer.miss(text);
  }

  targetOf(state) {
    return state.keys().next().value === "word" ? this.section : document.getElementById("relations");
  }

  scrollTo(section) {
    const { top, bottom } = section.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight || top < 0 || section !== this.section) section.scrollIntoView({ block: "start" });
  }

  // An address that names only a word leaves the table as it is, one that names something of the table sets all of it
  follow() {
    const state = readAddress(location.hash);
    if (!state.size) return; // a section
    if (TABLE_KEYS.some((key) => state.has(key))) this.table.read(state);
    const first = this.targetOf(state);
    if (state.has("word")) this.showWord(state.get("word"));
    this.write(first === this.section ? "word" : "table");
    this.scrollTo(first);
  }

  write(first) {
    const word = ["word", this.word === this.section.dataset.start && first !== "word" ? "" : this.word];
    const parts = first === "word" ? [word, ...this.table.state] : [...this.table.state, word];
    const address = addressOf(parts);
    clearTimeout(this.timer);
    // browsers refuse a hundred changes in a few seconds, which typing may be
    this.timer = setTimeout(() => history.replaceState(null, "", address === "#" ? "#relations" : address), 200);
  }
}

start();
