// Puts the parts together. The address says which word is shown (#word=kind), so that it can be linked and gone back to.

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

function wordOfAddress() {
  const wanted = /^#word=(.+)$/.exec(location.hash);
  if (!wanted) return null;
  try {
    return decodeURIComponent(wanted[1]);
  } catch {
    return wanted[1];
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
  const relations = new Relations(await unpack(packed));
  document.getElementById("loading").hidden = true;
  for (const part of document.querySelectorAll(".interactive")) part.hidden = false;
  const explorer = new Explorer(relations);
  const go = (word) => {
    location.hash = link(relations.words[word]);
  };
  const field = new WordField(relations, go, (text) => explorer.miss(text));
  const follow = (scroll) => {
    const text = wordOfAddress() ?? document.getElementById("explore").dataset.start;
    const word = relations.find(text);
    if (text === "") return;
    field.input.value = text;
    if (word >= 0) explorer.show(word);
    else explorer.miss(text);
    if (scroll) document.getElementById("explore").scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", () => follow(document.getElementById("explore").getBoundingClientRect().bottom < 0 ||
    document.getElementById("explore").getBoundingClientRect().top > innerHeight));
  follow(wordOfAddress() !== null);
  new RelationTable(relations);
  document.documentElement.dataset.ready = "";
}

start();
