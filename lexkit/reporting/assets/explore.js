// Choosing a word, and what is shown of it: the graph, and its neighbours in groups.

const SUGGESTIONS = 8;
const FIRST_WORDS = 60;

function wordLink(relations, word, attributes = {}) {
  return element("a", { href: link(relations.words[word]), dir: "auto", ...attributes }, [relations.words[word]]);
}

function separated(nodes) {
  return nodes.flatMap((node, i) => (i ? [", ", node] : [node]));
}

const plural = (n, name) => `${number(n)} ${name}${n === 1 ? "" : "s"}`;

// Neighbours by part of speech, the stated ones before the derived ones; in a group they keep their order
function neighborGroups(relations, neighbors) {
  const groups = new Map();
  for (const neighbor of [...neighbors].sort((a, b) => b.direct - a.direct)) {
    const title = [neighbor.pos.join(", ") || "part of speech not given", ...(neighbor.direct ? [] : ["derived"])].join(" · ");
    if (!groups.has(title)) groups.set(title, []);
    groups.get(title).push(neighbor);
  }
  return [...groups].flatMap(([title, members]) => [
    element("h4", {}, [title]),
    element("ul", { class: "words" }, members.map((member) => {
      const marks = [...(member.contested ? ["contested"] : []), ...member.usage.flat()].join(", ");
      const anchor = wordLink(relations, member.word, { title: describe(relations, member) });
      return element("li", {}, [anchor, ...(marks ? [" ", element("small", {}, [marks])] : [])]);
    })),
  ]);
}

function showNeighbors(place, relations, kind, neighbors) {
  const heading = element("h3", { class: kind }, [`${kind}s `, element("span", {}, [number(neighbors.length)])]);
  const first = neighborGroups(relations, neighbors.slice(0, FIRST_WORDS));
  place.replaceChildren(heading, ...(neighbors.length ? first : [element("p", { class: "quiet" }, [`No ${kind}s.`])]));
  if (neighbors.length <= FIRST_WORDS) return;
  const more = element("button", { type: "button" }, [`Show all ${number(neighbors.length)}`]);
  more.addEventListener("click", () => {
    place.replaceChildren(heading, ...neighborGroups(relations, neighbors));
    heading.tabIndex = -1;
    heading.focus();
  });
  place.append(more);
}

class Explorer {
  constructor(relations) {
    this.relations = relations;
    this.word = -1;
    this.svg = document.getElementById("graph");
    this.status = document.getElementById("explore-status");
    this.parts = ["neighborhood", "neighbors"].map((id) => document.getElementById(id));
    new ResizeObserver(() => this.draw()).observe(this.svg.parentElement);
  }

  show(word) {
    const { relations } = this;
    this.word = word;
    this.groups = ["synonym", "antonym"].map((kind) => relations.neighbors(word, kind));
    document.getElementById("explored").replaceChildren(element("bdi", {}, [relations.words[word]]));
    for (const part of this.parts) part.hidden = false;
    this.groups.forEach((neighbors, i) => {
      const kind = ["synonym", "antonym"][i];
      showNeighbors(document.getElementById(`${kind}s`), relations, kind, neighbors);
    });
    const inTable = document.getElementById("in-table");
    inTable.href = addressOf([["text", relations.words[word]], ["word", relations.words[word]]]);
    inTable.replaceChildren("Relations of ", element("bdi", {}, [relations.words[word]]), " in the table");
    this.width = 0;
    this.draw();
  }

  // A word that is not there: nothing of the word before it stays to be taken for an answer
  miss(text) {
    this.word = -1;
    for (const part of this.parts) part.hidden = true;
    const { relations } = this;
    const similar = relations.similar(text, 5);
    const near = similar.length ? similar : relations.suggest(text, 5);
    const hint = near.length
      ? [similar.length ? " Similar words: " : " Words that contain it: ", ...separated(near.map((word) => wordLink(relations, word))), "."]
      : [" No similar words found; check the spelling."];
    const { partial } = document.getElementById("explore").dataset;
    const command = element("code", {}, ["lexkit lookup"]);
    const elsewhere = partial ? [` This page carries ${partial} words; `, command, " searches the whole store."] : [];
    const what = element("strong", {}, ["“", element("bdi", {}, [text]), "” is not on this page."]);
    this.status.classList.add("missing");
    this.status.replaceChildren(what, ...hint, ...elsewhere);
  }

  draw() {
    const width = this.svg.parentElement.clientWidth;
    if (this.word < 0 || !width || width === this.width) return;
    this.width = width;
    const { relations, word, groups } = this;
    const drawn = drawGraph(this.svg, relations, word, groups);
    const all = groups[0].length + groups[1].length;
    const counts = `${plural(groups[0].length, "synonym")} and ${plural(groups[1].length, "antonym")}`;
    const parts = [drawn < all ? `${counts}; the graph shows the best ${drawn}` : counts];
    const lacking = relations.degrees[word] - relations.carried(word);
    if (lacking) parts.push(`this page lacks ${number(lacking)} of the store’s ${number(relations.degrees[word])}`);
    this.status.classList.remove("missing");
    this.status.replaceChildren(element("bdi", {}, [relations.words[word]]), `: ${parts.join("; ")}.`);
  }
}

// A text field with a list of suggestions, as the ARIA pattern "combobox" has it
class WordField {
  constructor(relations, choose) {
    Object.assign(this, { relations, choose, active: -1 });
    this.input = document.getElementById("word");
    this.list = document.getElementById("suggestions");
    this.input.addEventListener("input", () => this.open());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => event.preventDefault()); // keeps the focus in the field
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take(Number(option.dataset.word));
    });
    this.input.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.input.value.trim();
      if (!text) return;
      this.close();
      const found = this.relations.find(text);
      this.choose(found >= 0 ? this.relations.words[found] : text);
    });
  }

  open() {
    const text = this.input.value.trim();
    this.active = -1;
    this.found = text ? this.relations.suggest(text, SUGGESTIONS) : [];
    this.list.replaceChildren(
      ...this.found.map((word, i) =>
        element("li", { role: "option", id: `option-${i}`, "aria-selected": "false", "data-word": word }, [
          element("bdi", {}, [this.relations.words[word]]),
          element("span", { class: "quiet" }, [number(this.relations.degrees[word])]),
        ]),
      ),
    );
    this.toggle(this.found.length > 0);
  }

  toggle(open) {
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    if (!open) this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.active = -1;
    this.toggle(false);
  }

  key(event) {
    if (event.key === "Escape") this.close();
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) this.open();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      this.take(this.found[this.active]);
    }
  }

  move(step) {
    const options = [...this.list.children];
    if (!options.length) return;
    this.active = (this.active + step + options.length + (this.active < 0 && step < 0 ? 1 : 0)) % options.length;
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === this.active)));
    this.input.setAttribute("aria-activedescendant", options[this.active].id);
    options[this.active].scrollIntoView({ block: "nearest" });
  }

  take(word) {
    this.close();
    this.choose(this.relations.words[word]);
  }
}
