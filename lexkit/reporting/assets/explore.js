// Choosing a word, and what is shown of it: the graph, and its neighbours in groups.

const SUGGESTIONS = 8;
const FIRST_WORDS = 60;

function wordLink(relations, word) {
  return element("a", { href: link(relations.words[word]), dir: "auto" }, [relations.words[word]]);
}

// Neighbours in their order; those that follow each other and are related in the same way stand under one heading
function neighborGroups(relations, neighbors) {
  const groups = [];
  for (const neighbor of neighbors) {
    const title = [neighbor.pos.join(", "), how(neighbor), neighbor.sources.join(", ")].filter(Boolean).join(" · ");
    if (groups.at(-1)?.[0] !== title) groups.push([title, []]);
    groups.at(-1)[1].push(neighbor);
  }
  return groups.flatMap(([title, members]) => [
    element("h4", {}, [title]),
    element("ul", { class: "words" }, members.map(({ word }) => element("li", {}, [wordLink(relations, word)]))),
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
    new ResizeObserver(() => this.draw()).observe(this.svg.parentElement);
  }

  show(word) {
    const { relations } = this;
    this.word = word;
    this.groups = ["synonym", "antonym"].map((kind) => relations.neighbors(word, kind));
    document.getElementById("explored").replaceChildren(element("bdi", {}, [relations.words[word]]));
    document.getElementById("neighborhood").hidden = false;
    this.groups.forEach((neighbors, i) => {
      const kind = ["synonym", "antonym"][i];
      showNeighbors(document.getElementById(`${kind}s`), relations, kind, neighbors);
    });
    this.width = 0;
    this.draw();
  }

  miss(text) {
    const near = this.relations.suggest(text, 3).map((word) => wordLink(this.relations, word));
    const separated = near.flatMap((anchor, i) => (i ? [", ", anchor] : [" Words that hold it: ", anchor]));
    this.status.replaceChildren("“", element("bdi", {}, [text]), "” is not among the words of this page.", ...separated);
  }

  draw() {
    const width = this.svg.parentElement.clientWidth;
    if (this.word < 0 || !width || width === this.width) return;
    this.width = width;
    const { relations, word } = this;
    const drawn = drawGraph(this.svg, relations, word, this.groups);
    const carried = relations.carried(word);
    const parts = [`${number(drawn)} of ${number(relations.degrees[word])} relations drawn`];
    if (carried < relations.degrees[word]) parts.push(`this page carries ${number(carried)} of them`);
    this.status.textContent = `${parts.join("; ")}.`;
  }
}

// A text field with a list of suggestions, as the ARIA pattern "combobox" has it
class WordField {
  constructor(relations, choose, miss) {
    Object.assign(this, { relations, choose, miss, active: -1 });
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
      const found = this.relations.find(text);
      this.close();
      if (found >= 0) this.take(found);
      else this.miss(text);
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
    this.input.value = this.relations.words[word];
    this.close();
    this.choose(word);
  }
}
