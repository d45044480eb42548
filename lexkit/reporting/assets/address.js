// The state of the page in its address: #word=kind&text=un&kind=antonym&sort=-confidence. Whichever part changed last
// stands first, and is what a reader of the link sees first.

const TABLE_KEYS = ["text", "kind", "source", "how", "sort", "page"];
const KEYS = ["word", ...TABLE_KEYS];
// an ampersand that no key follows belongs to the value: people type #word=R&D
const BETWEEN = new RegExp(`&(?=(?:${KEYS.join("|")})=)`);

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readAddress(hash) {
  const state = new Map();
  for (const part of hash.replace(/^#/, "").split(BETWEEN)) {
    const end = part.indexOf("=");
    if (end > 0 && KEYS.includes(part.slice(0, end))) state.set(part.slice(0, end), decoded(part.slice(end + 1)));
  }
  return state;
}

function addressOf(state) {
  const parts = [...state].filter(([, value]) => value !== "").map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  return `#${parts.join("&")}`;
}

const link = (word) => addressOf([["word", word]]);
