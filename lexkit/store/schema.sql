-- The tables and views of a lexkit store, schema version 1.
--
-- Rows are kept in the order of their keys. There are no declared keys or indexes: the tables are written once,
-- `lexkit verify` checks what keys would promise, and DuckDB scans these sizes faster than it maintains indexes.

-- schema_version, lexkit_version, language, built_at (UTC, ISO 8601), options (JSON: how the store was built)
CREATE TABLE meta (
    key   VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);

-- one row per file read
CREATE TABLE source (
    source     VARCHAR NOT NULL,    -- name used in evidence: the kind, or kind:2 ... for further files of a kind
    kind       VARCHAR NOT NULL,    -- wiktionary, roget, morpholex, pairs, or the name of a plugin
    uri        VARCHAR NOT NULL,    -- the file as it was named to the build
    sha256     VARCHAR NOT NULL,    -- of the file as it lay on disk; of a folder, see docs/plugins.md
    bytes      BIGINT  NOT NULL,
    licence    VARCHAR,             -- SPDX identifier where there is one; NULL for files lexkit knows nothing of
    n_records  BIGINT  NOT NULL,    -- lines (wiktionary, pairs), terms (roget), rows (morpholex) read
    n_rejected BIGINT  NOT NULL,    -- sum of rejection.n
    read_at    VARCHAR NOT NULL     -- UTC, ISO 8601
);

-- what was refused, by reason; nothing is dropped silently
CREATE TABLE rejection (
    source  VARCHAR NOT NULL,
    reason  VARCHAR NOT NULL,
    n       BIGINT  NOT NULL,
    example VARCHAR NOT NULL        -- the first one, with its place in the file
);

CREATE TABLE word (
    word_id INTEGER NOT NULL,       -- 0, 1, 2 ... in the order of the words' code points
    word    VARCHAR NOT NULL,       -- NFC, trimmed, inner white space collapsed, case kept
    folded  VARCHAR NOT NULL        -- lower case, for look-up
);

-- one row per unordered pair and kind
CREATE TABLE relation (
    word_a    INTEGER NOT NULL,     -- word_a < word_b
    word_b    INTEGER NOT NULL,
    kind      VARCHAR NOT NULL,     -- 'synonym' or 'antonym'
    direct    BOOLEAN NOT NULL,     -- a source states it; otherwise morphological negation derives it
    n_sources INTEGER NOT NULL,     -- how many sources the evidence names
    contested BOOLEAN NOT NULL,     -- the pair is in this table as the other kind, too
    -- summaries of the evidence, so that views and look-ups need not read it
    sources   VARCHAR NOT NULL,     -- names of the sources, sorted, joined by commas
    pos       VARCHAR NOT NULL      -- parts of speech, likewise; empty if no source gives one
);

-- why a relation is there; also derived relations that a stated one contradicts, which are not in `relation`
CREATE TABLE evidence (
    word_a    INTEGER NOT NULL,
    word_b    INTEGER NOT NULL,
    kind      VARCHAR NOT NULL,
    source    VARCHAR NOT NULL,     -- who states it; for a derived relation, who states what it is derived from
    pos       VARCHAR,              -- part of speech, in wiktextract's names
    sense     VARCHAR,              -- gloss, or head and place in Roget
    rule      VARCHAR,              -- NULL: stated. 'un-', '-less', 'un-+in-': derived. 'negation': word and its base.
                                    -- 'contradicted:...': derived, but the sources state the other kind
    from_a    INTEGER,              -- the stated relation a derived one comes from, from_a < from_b
    from_b    INTEGER,
    from_kind VARCHAR
);

CREATE TABLE morphology (
    word_id      INTEGER   NOT NULL,
    segmentation VARCHAR   NOT NULL,    -- MorphoLEX notation
    prefixes     VARCHAR[] NOT NULL,    -- in MorphoLEX's spelling, left to right
    roots        VARCHAR[] NOT NULL,
    suffixes     VARCHAR[] NOT NULL,
    analyser     VARCHAR   NOT NULL     -- 'morpholex'; 'affix' is kept for an analyser without it
);

CREATE TABLE negation (
    word_id  INTEGER NOT NULL,      -- unkind
    base_id  INTEGER NOT NULL,      -- kind
    affix    VARCHAR NOT NULL,      -- un, in (also im-, il-, ir-), dis, non, less
    position VARCHAR NOT NULL,      -- 'prefix' or 'suffix'
    analyser VARCHAR NOT NULL
);

CREATE TABLE tokenizer (
    tokenizer   VARCHAR NOT NULL,   -- as it was named to the build
    fingerprint VARCHAR NOT NULL,   -- SHA-256 of its tokenizer.json
    vocab_size  INTEGER NOT NULL,
    added_at    VARCHAR NOT NULL
);

CREATE TABLE span (
    tokenizer VARCHAR   NOT NULL,
    word_id   INTEGER   NOT NULL,
    token_ids INTEGER[] NOT NULL,   -- of " " + word, without special tokens
    n_tokens  INTEGER   NOT NULL
);

-- every relation in both directions, with words for ids
CREATE VIEW synonyms AS
    SELECT a.word AS word, b.word AS synonym, direct, n_sources, string_split(sources, ',') AS sources, contested,
        CASE WHEN pos = '' THEN [] ELSE string_split(pos, ',') END AS pos
    FROM (
        SELECT word_a AS this, word_b AS other, * FROM relation WHERE kind = 'synonym'
        UNION ALL
        SELECT word_b, word_a, * FROM relation WHERE kind = 'synonym'
    )
    JOIN word a ON a.word_id = this
    JOIN word b ON b.word_id = other;

CREATE VIEW antonyms AS
    SELECT a.word AS word, b.word AS antonym, direct, n_sources, string_split(sources, ',') AS sources, contested,
        CASE WHEN pos = '' THEN [] ELSE string_split(pos, ',') END AS pos
    FROM (
        SELECT word_a AS this, word_b AS other, * FROM relation WHERE kind = 'antonym'
        UNION ALL
        SELECT word_b, word_a, * FROM relation WHERE kind = 'antonym'
    )
    JOIN word a ON a.word_id = this
    JOIN word b ON b.word_id = other;

-- per cent of a kind's relations whose words need at most max_tokens tokens each (DSKD, arXiv 2602.22351, Table 2)
CREATE VIEW keep_rate AS
    SELECT tokenizer, kind, max_tokens, 100.0 * count(*) FILTER (widest <= max_tokens) / count(*) AS percent
    FROM (
        SELECT a.tokenizer, kind, greatest(a.n_tokens, b.n_tokens) AS widest
        FROM relation
        JOIN span a ON a.word_id = word_a
        JOIN span b ON b.word_id = word_b AND b.tokenizer = a.tokenizer
    )
    CROSS JOIN (SELECT unnest(range(1, 6)) AS max_tokens)
    GROUP BY ALL
    ORDER BY ALL;
