// The neighbourhood of a word: synonyms on an arc to the left, antonyms to the right, and how they relate to each other.
// The same word and width give the same picture: no chance and no simulation.

const SVG = "http://www.w3.org/2000/svg";
const LETTER = 6.8; // how wide a letter of a label is, about

function element(name, attributes = {}, children = [], space = null) {
  const node = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const drawn = (name, attributes, children) => element(name, attributes, children, SVG);

// Neighbours that are related to each other next to each other: their lines stay short, and senses show as bunches
function bunched(nodes, edges) {
  const near = new Map(nodes.map((node) => [node, []]));
  for (const { from, to, kind } of edges) {
    if (kind === "synonym" && near.has(from) && near.has(to)) {
      near.get(from).push(to);
      near.get(to).push(from);
    }
  }
  const order = [];
  const seen = new Set();
  const visit = (node) => {
    if (seen.has(node)) return;
    seen.add(node);
    order.push(node);
    near.get(node).forEach(visit);
  };
  nodes.forEach(visit);
  return order;
}

function edgesAmong(relations, nodes) {
  const byWord = new Map();
  for (const node of nodes) byWord.set(node.word, [...(byWord.get(node.word) ?? []), node]);
  const edges = [];
  for (const from of byWord.keys()) {
    for (let i = relations.starts[from]; i < relations.starts[from + 1]; i++) {
      const row = relations.rows[i];
      if (relations.first[row] !== from || !byWord.has(relations.second[row])) continue;
      const { kind } = relations.labels[relations.label[row]];
      edges.push({ from: byWord.get(from)[0], to: byWord.get(relations.second[row])[0], kind });
    }
  }
  return edges;
}

// How far from the middle the i-th of n rows lies on half an ellipse, 1 at the most
const bend = (i, n, rowHeight, height) => Math.sqrt(1 - (((i - (n - 1) / 2) * rowHeight) / (height / 2)) ** 2);

// Rows of equal height on half an ellipse; `side` is -1 for left, 1 for right
function place(nodes, side, center, radius, height, rowHeight) {
  nodes.forEach((node, i) => {
    node.side = side;
    node.y = height / 2 + (i - (nodes.length - 1) / 2) * rowHeight;
    node.x = center + side * radius * bend(i, nodes.length, rowHeight, height);
  });
}

function arrange(relations, sides, width, touch) {
  const rowHeight = touch ? 40 : 28;
  const rows = Math.max(sides[0].length, sides[1].length, 5);
  const height = (rows + 1) * rowHeight;
  const center = width / 2;
  // what labels need is taken from the arcs, up to a third of the width; longer ones are cut
  const room = sides.flatMap((nodes) =>
    nodes.map(({ word }, i) => {
      const label = Math.min(relations.words[word].length * LETTER, width * 0.3);
      return (center - label - 18) / bend(i, nodes.length, rowHeight, height);
    }),
  );
  const radius = Math.max(48, Math.min(width * 0.26, ...room));
  place(sides[0], -1, center, radius, height, rowHeight);
  place(sides[1], 1, center, radius, height, rowHeight);
  return { center, radius, height, rowHeight, labelWidth: (node) => (node.side < 0 ? node.x : width - node.x) - 14 };
}

function marker({ x, y, kind, direct }) {
  const classes = `node ${kind} ${direct ? "stated" : "derived"}`;
  if (kind === "synonym") return drawn("circle", { class: classes, cx: x, cy: y, r: 5 });
  return drawn("path", { class: classes, d: `M${x - 6} ${y}l6 -6l6 6l-6 6z` });
}

function fitted(text, word, width) {
  text.textContent = word;
  if (text.getComputedTextLength() <= width) return;
  let end = word.length;
  while (end > 1 && text.getComputedTextLength() > width) text.textContent = `${word.slice(0, --end).trimEnd()}…`;
}

const how = ({ direct, contested, usage }) =>
  [direct ? "stated" : "derived", ...(contested ? ["contested"] : []), ...usage.flat()].join(", ");

function describe(relations, node) {
  // isolated, so that a word written from right to left does not turn the line around
  return `\u2068${relations.words[node.word]}\u2069: ${node.kind}, ${how(node)}, ${node.sources.join(", ")}`;
}

function drawEdges(svg, edges, middle) {
  for (const edge of edges) {
    const { from, to } = edge;
    // bowed towards the middle, so that neighbours on one arc do not hide their line
    const bow = from.side === to.side ? 0.55 : 0.25;
    const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    const path = `M${from.x} ${from.y}Q${x + (middle.x - x) * bow} ${y + (middle.y - y) * bow * 0.2} ${to.x} ${to.y}`;
    edge.line = drawn("path", { class: `chord ${edge.kind}`, d: path });
    svg.append(edge.line);
  }
}

// Lines of the node that is pointed at or focused stand out
function follow(svg, anchor, node, edges) {
  const show = (on) => {
    svg.classList.toggle("following", on);
    for (const { from, to, line } of edges) line.classList.toggle("followed", on && (from === node || to === node));
  };
  for (const event of ["pointerenter", "focus"]) anchor.addEventListener(event, () => show(true));
  for (const event of ["pointerleave", "blur"]) anchor.addEventListener(event, () => show(false));
}

function drawGraph(svg, relations, word, groups) {
  const touch = matchMedia("(pointer: coarse)").matches || innerWidth < 600;
  const width = svg.clientWidth;
  const most = touch ? 12 : 18;
  const [synonyms, antonyms] = groups;
  const both = synonyms.length && antonyms.length;
  const shown = both ? groups.map((group) => group.slice(0, most)) : [[...synonyms, ...antonyms].slice(0, 2 * most), []];
  const nodes = shown.flat().map((neighbor) => ({ ...neighbor }));
  const edges = edgesAmong(relations, nodes);
  const order = bunched(nodes, edges);
  const half = Math.ceil(order.length / 2);
  const sides = both
    ? ["synonym", "antonym"].map((kind) => order.filter((node) => node.kind === kind))
    : [order.slice(0, half), order.slice(half).reverse()];
  const { center, radius, height, rowHeight, labelWidth } = arrange(relations, sides, width, touch);
  const middle = { x: center, y: height / 2 };
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  svg.setAttribute("aria-label", `Neighbourhood of ${relations.words[word]}`);
  for (const node of nodes) {
    const path = `M${middle.x} ${middle.y}L${node.x} ${node.y}`;
    svg.append(drawn("path", { class: `spoke ${node.kind}`, d: path }));
  }
  drawEdges(svg, edges, middle);
  for (const node of order) {
    const left = node.side < 0;
    const text = drawn("text", { x: node.x + node.side * 11, y: node.y, dy: ".35em", "text-anchor": left ? "end" : "start" });
    const target = drawn("rect", { class: "target", y: node.y - rowHeight / 2, height: rowHeight });
    const anchor = drawn("a", { href: link(relations.words[node.word]), "aria-label": describe(relations, node) }, [
      drawn("title", {}, [describe(relations, node)]),
      target,
      marker(node),
      text,
    ]);
    svg.append(anchor);
    fitted(text, relations.words[node.word], labelWidth(node));
    const reach = text.getComputedTextLength() + 18;
    target.setAttribute("x", left ? node.x - reach : node.x - 10);
    target.setAttribute("width", reach + 10);
    follow(svg, anchor, node, edges);
  }
  drawCenter(svg, relations.words[word], middle, Math.max(2 * radius - 50, 70));
  return nodes.length;
}

function drawCenter(svg, word, { x, y }, width) {
  const text = drawn("text", { class: "center", x, y, dy: ".35em", "text-anchor": "middle" });
  const box = drawn("rect", { class: "center", y: y - 17, height: 34, rx: 17 });
  svg.append(box, text);
  fitted(text, word, width);
  const wide = text.getComputedTextLength() + 28;
  box.setAttribute("x", x - wide / 2);
  box.setAttribute("width", wide);
}
