// The table of relations: filtered as one types, sorted by any column, a page of rows at a time.

const PAGE_ROWS = 25;

// What each column is sorted by, as a number for each relation; the largest comes first after a first click where
// `falling`, since more sources and more confidence are what a reader looks for.
const COLUMNS = {
  word: { key: (relations) => byWord(relations, relations.first) },
  relation: { key: (relations) => byLabel(relations, ({ kind }) => kind) },
  other: { key: (relations) => byWord(relations, relations.second) },
  pos: { key: (relations) => byLabel(relations, ({ pos }) => pos.join()) },
  how: { key: (relations) => byLabel(relations, how) },
  confidence: { falling: true, key: (relations) => relations.confidence },
  // independent ones; what is derived has fewer than what a single source states
  sources: {
    falling: true,
    key: (relations) => {
      const counts = relations.labels.map(({ direct, nSources }) => (direct ? 1000 : 0) + nSources);
      return relations.label.map((label) => counts[label]);
    },
  },
};

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function byWord(relations, ends) {
  const { folded } = relations;
  const order = folded.map((_, word) => word).sort((a, b) => compare(folded[a], folded[b]) || a - b);
  const rank = new Int32Array(order.length);
  order.forEach((word, i) => {
    rank[word] = i;
  });
  return ends.map((word) => rank[word]);
}

function byLabel(relations, name) {
  const names = relations.labels.map(name);
  const sorted = [...new Set(names)].sort(compare);
  const ranks = new Map(sorted.map((text, i) => [text, i]));
  const rank = names.map((text) => ranks.get(text));
  return relations.label.map((label) => rank[label]);
}

class RelationTable {
  constructor(relations, changed) {
    Object.assign(this, { relations, changed, page: 0, sort: "", keys: {} });
    this.body = document.querySelector("#relations tbody");
    this.form = document.getElementById("filter");
    this.headings = [...document.querySelectorAll("#relations thead th")];
    this.form.addEventListener("input", (event) => this.edit(event.target.name));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const heading of this.headings) {
      heading.firstElementChild.addEventListener("click", () => this.sortBy(heading.dataset.column));
    }
    for (const [id, step] of [["previous", -1], ["next", 1]]) {
      document.getElementById(id).addEventListener("click", () => this.turn(step));
    }
    this.start = this.mostSources();
  }

  // The order in which a reader finds something worth reading: what most sources know, of words with many relations
  mostSources() {
    const { relations } = this;
    const sources = this.keyOf("sources");
    const { degrees, first, second } = relations;
    const connected = (row) => Math.min(degrees[first[row]], degrees[second[row]]);
    return relations.label.map((_, row) => row).sort((a, b) => sources[b] - sources[a] || connected(b) - connected(a) || a - b);
  }

  keyOf(column) {
    this.keys[column] ??= COLUMNS[column].key(this.relations);
    return this.keys[column];
  }

  // Take over what an address says; what it does not name is as at first
  read(state) {
    for (const name of ["text", "kind", "source", "how"]) {
      const field = this.form.elements[name];
      field.value = state.get(name) ?? "";
      if (field.selectedIndex === -1) field.value = ""; // a source that this store does not have
    }
    this.sort = Object.hasOwn(COLUMNS, (state.get("sort") ?? "").replace(/^-/, "")) ? state.get("sort") : "";
    this.filter(Math.max(Math.trunc(Number(state.get("page"))) || 1, 1) - 1);
  }

  get state() {
    const fields = Object.fromEntries(new FormData(this.form));
    return [...Object.entries({ ...fields, sort: this.sort, page: this.page ? String(this.page + 1) : "" })];
  }

  edit(name) {
    if (name === "sort") this.sort = this.form.elements.sort.value;
    this.filter(0);
    this.changed();
  }

  sortBy(column) {
    const { falling } = COLUMNS[column];
    const [first, second] = falling ? [`-${column}`, column] : [column, `-${column}`];
    this.sort = this.sort === first ? second : this.sort === second ? "" : first;
    this.filter(0);
    this.changed();
  }

  filter(page) {
    const { relations } = this;
    const wanted = Object.fromEntries(new FormData(this.form));
    this.text = searchKey(wanted.text.trim());
    const words = relations.folded.map((word) => word.includes(this.text));
    const labels = relations.labels.map(
      ({ kind, direct, contested, sources }) =>
        (!wanted.kind || kind === wanted.kind) &&
        (!wanted.source || sources.includes(wanted.source)) &&
        (!wanted.how || { stated: direct, derived: !direct, contested }[wanted.how]),
    );
    this.rows = this.start.filter(
      (row) => labels[relations.label[row]] && (words[relations.first[row]] || words[relations.second[row]]),
    );
    this.order();
    this.page = Math.min(page, Math.max(Math.ceil(this.rows.length / PAGE_ROWS) - 1, 0));
    this.show();
  }

  // Sorting keeps the first order among equals
  order() {
    const column = this.sort.replace(/^-/, "");
    if (column) {
      const key = this.keyOf(column);
      const sign = this.sort.startsWith("-") ? -1 : 1;
      this.rows.sort((a, b) => sign * (key[a] - key[b]));
    } else if (this.text) {
      const ranks = new Map(this.rows.map((row) => [row, this.rank(row)]));
      this.rows.sort((a, b) => ranks.get(a) - ranks.get(b));
    }
    this.form.elements.sort.value = this.sort;
    for (const heading of this.headings) {
      const sorted = heading.dataset.column === column;
      if (sorted) heading.setAttribute("aria-sort", this.sort.startsWith("-") ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
  }

  // Relations of the very word first, then of words that begin with the text
  nearness(word) {
    const folded = this.relations.folded[word];
    if (folded === this.text) return 0;
    return folded.startsWith(this.text) ? 1 : folded.includes(this.text) ? 2 : 3;
  }

  rank(row) {
    return Math.min(this.nearness(this.relations.first[row]), this.nearness(this.relations.second[row]));
  }

  // The two words of a row, the one that was searched for on the left unless the words are sorted
  ends(row) {
    const ends = [this.relations.first[row], this.relations.second[row]];
    const turned = this.text && !this.sort && this.nearness(ends[1]) < this.nearness(ends[0]);
    return turned ? ends.reverse() : ends;
  }

  turn(step) {
    this.page += step;
    this.show();
    this.changed();
  }

  show() {
    const { relations } = this;
    const from = this.page * PAGE_ROWS;
    const rows = this.rows.slice(from, from + PAGE_ROWS);
    this.body.replaceChildren(
      ...rows.map((row) => {
        const label = relations.labels[relations.label[row]];
        const kind = element("td", {}, [element("span", { class: `kind ${label.kind}` }, [label.kind])]);
        const confidence = element("td", { class: "n" }, [`${relations.confidence[row]} %`]);
        const cells = [label.pos.join(", "), how(label)].map((text) => element("td", {}, [text]));
        const ends = this.ends(row).map((word) => element("td", { class: "word" }, [wordLink(relations, word)]));
        const sources = element("td", {}, [label.sources.join(", ")]);
        return element("tr", {}, [ends[0], kind, ends[1], ...cells, confidence, sources]);
      }),
    );
    const last = from + rows.length;
    document.getElementById("table-status").textContent = rows.length
      ? `${number(from + 1)}–${number(last)} of ${number(this.rows.length)} relations`
      : "No relation of this page matches.";
    document.getElementById("previous").disabled = this.page === 0;
    document.getElementById("next").disabled = last >= this.rows.length;
  }
}
