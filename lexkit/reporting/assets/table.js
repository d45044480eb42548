// The table of relations: filtered as one types, a page of rows at a time.

const PAGE_ROWS = 25;

class RelationTable {
  constructor(relations) {
    this.relations = relations;
    this.page = 0;
    this.body = document.querySelector("#relations tbody");
    this.form = document.getElementById("filter");
    this.form.addEventListener("input", () => this.filter());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const [id, step] of [["previous", -1], ["next", 1]]) {
      document.getElementById(id).addEventListener("click", () => this.turn(step));
    }
    this.filter();
  }

  filter() {
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
    this.rows = [];
    for (let row = 0; row < relations.size; row++) {
      if (labels[relations.label[row]] && (words[relations.first[row]] || words[relations.second[row]])) {
        this.rows.push(row);
      }
    }
    if (this.text) {
      const ranks = new Map(this.rows.map((row) => [row, this.rank(row)]));
      this.rows.sort((a, b) => ranks.get(a) - ranks.get(b) || a - b);
    }
    this.page = 0;
    this.show();
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

  // The two words of a row, the one that was searched for on the left
  ends(row) {
    const ends = [this.relations.first[row], this.relations.second[row]];
    return this.text && this.nearness(ends[1]) < this.nearness(ends[0]) ? ends.reverse() : ends;
  }

  turn(step) {
    this.page += step;
    this.show();
  }

  show() {
    const { relations } = this;
    const from = this.page * PAGE_ROWS;
    const rows = this.rows.slice(from, from + PAGE_ROWS);
    this.body.replaceChildren(
      ...rows.map((row) => {
        const label = relations.labels[relations.label[row]];
        const kind = element("td", {}, [element("span", { class: `kind ${label.kind}` }, [label.kind])]);
        const cells = [label.pos.join(", "), how(label), label.sources.join(", ")].map((text) => element("td", {}, [text]));
        const ends = this.ends(row).map((word) => element("td", { class: "word" }, [wordLink(relations, word)]));
        return element("tr", {}, [ends[0], kind, ends[1], ...cells]);
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
