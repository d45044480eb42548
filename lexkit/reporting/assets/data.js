// The relations that the page carries: unpacked into columns, with an index from each word to its relations.

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

// What spellings of a word have in common that a search takes for the same; as lexkit/store/spelling.py has it
const searchKey = (text) =>
  text
    .replace(/[\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u00b4`\u2032\u055a\u05f3\ua78b\ua78c]/g, "'")
    .replace(/[\u2010-\u2013\u2212\u05be]/g, "-")
    .replace(/[\u00ad\u200b-\u200f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0640\u064b-\u0652\u0670]/g, "")
    .normalize("NFKC")
    .toLowerCase()
    .toUpperCase() // makes ss of a sharp s
    .toLowerCase()
    .replace(/[\u0370-\u03ff\u1f00-\u1fff]+/g, (greek) => greek.normalize("NFD").replace(/[\u0300-\u036f]/g, ""))
    .replace(/ς/g, "σ")
    .replace(/i\u0307/g, "i");

// How many letters differ, or stand in each other's place (optimal string alignment); more than `most` is `most` + 1
function distance(a, b, most) {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let older = [];
  let old = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(old[j] + 1, row[j - 1] + 1, old[j - 1] + (a[i - 1] !== b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], older[j - 2] + 1);
      least = Math.min(least, row[j]);
    }
    if (least > most) return most + 1;
    [older, old] = [old, row];
  }
  return old[b.length];
}

const LIKENESS = 0.6; // the share of letters that similar words have in common at least, as in `lexkit lookup`

class Relations {
  constructor({ words, degrees, labels, counts, steps, label, weight_a: weightA, weight_b: weightB, confidence }) {
    this.words = words;
    this.folded = words.map(searchKey);
    this.degrees = degrees;
    this.labels = labels.map(([kind, direct, contested, nSources, sources, pos, ...usage]) => ({
      kind,
      direct,
      contested,
      nSources,
      sources,
      pos,
      usage,
    }));
    this.label = label;
    this.confidence = confidence;
    this.weights = [weightA, weightB];
    this.first = new Int32Array(label.length);
    this.second = new Int32Array(label.length);
    let row = 0;
    counts.forEach((count, first) => {
      let second = first;
      for (let i = 0; i < count; i++, row++) {
        second += steps[row];
        this.first[row] = first;
        this.second[row] = second;
      }
    });
    this.indexWords();
  }

  // rows of word w: this.rows[this.starts[w]] to this.rows[this.starts[w + 1]], exclusive
  indexWords() {
    this.starts = new Int32Array(this.words.length + 1);
    for (const ends of [this.first, this.second]) for (const word of ends) this.starts[word + 1]++;
    for (let word = 0; word < this.words.length; word++) this.starts[word + 1] += this.starts[word];
    const next = this.starts.slice();
    this.rows = new Int32Array(2 * this.label.length);
    for (let row = 0; row < this.label.length; row++) {
      this.rows[next[this.first[row]]++] = row;
      this.rows[next[this.second[row]]++] = row;
    }
  }

  get size() {
    return this.label.length;
  }

  // The word as it is written, or else regardless of case and signs; -1 if the page has none
  find(text) {
    const exact = this.words.indexOf(text);
    return exact >= 0 ? exact : this.folded.indexOf(searchKey(text));
  }

  // Words that begin with the text, then words that hold it, each with the best-connected first
  suggest(text, limit) {
    const wanted = searchKey(text);
    const starting = [];
    const holding = [];
    for (let word = 0; word < this.folded.length; word++) {
      const place = this.folded[word].indexOf(wanted);
      if (place === 0) starting.push(word);
      else if (place > 0) holding.push(word);
    }
    const order = (a, b) =>
      (this.folded[b] === wanted) - (this.folded[a] === wanted) || this.degrees[b] - this.degrees[a] || a - b;
    return [...starting.sort(order), ...holding.sort(order)].slice(0, limit);
  }

  // Words of nearly the same spelling, the likest first, and among equally like ones the best-connected
  similar(text, limit) {
    const wanted = searchKey(text);
    const found = [];
    this.folded.forEach((folded, word) => {
      const longest = Math.max(folded.length, wanted.length);
      const most = Math.floor((1 - LIKENESS) * longest + 1e-9);
      const differ = distance(wanted, folded, most);
      if (differ <= most) found.push({ word, likeness: 1 - differ / longest });
    });
    found.sort((a, b) => b.likeness - a.likeness || this.degrees[b.word] - this.degrees[a.word] || a.word - b.word);
    return found.slice(0, limit).map(({ word }) => word);
  }

  // Neighbours of a word, the best first
  neighbors(word, kind) {
    const found = [];
    for (let i = this.starts[word]; i < this.starts[word + 1]; i++) {
      const row = this.rows[i];
      const label = this.labels[this.label[row]];
      if (label.kind === kind) {
        const [other, side] = this.first[row] === word ? [this.second[row], 0] : [this.first[row], 1];
        found.push({ ...label, word: other, usage: label.usage[1 - side], weight: this.weights[side][row] });
      }
    }
    return found.sort((a, b) => b.weight - a.weight || a.word - b.word);
  }

  carried(word) {
    return this.starts[word + 1] - this.starts[word];
  }
}
