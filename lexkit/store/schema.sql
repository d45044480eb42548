-- The tables and views of a lexkit store, schema version 2.
--
-- Rows are kept in the order of their keys. There are no declared keys or indexes: the tables are written once,
-- `lexkit verify` checks what keys would promise, and DuckDB scans these sizes faster than it maintains indexes.

-- schema_version, lexkit_version, language, built_at (UTC, ISO 8601), options (JSON: how the store was built),
-- checksums (JSON: of each other table, see lexkit/store/checksum.py)
CREATE TABLE meta (
    key   VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);

-- one row per file read
CREATE TABLE source (
    source     VARCHAR NOT NULL,    -- name used in evidence: the kind, or kind:2 ... for further files of a kind
    kind       VARCHAR NOT NULL,    -- wiktionary, roget, morpholex, pairs, or the name of a plugin
    origin     VARCHAR NOT NULL,    -- which resource the file comes from; sources of one origin count as one
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
    folded  VARCHAR NOT NULL,       -- lower case, for look-up
    frequency DOUBLE,               -- Zipf scale: log10 of occurrences in a billion words; NULL: not known
    label   VARCHAR,                -- what it is in every sense, by lexkit's lists: offensive, vulgar, archaic
    attested VARCHAR NOT NULL       -- names of the sources that have it, sorted, joined by commas
);

-- other forms of words: ran, mice, happier; colour, o'clock; well known, well-known
CREATE TABLE form (
    word_id  INTEGER NOT NULL,
    lemma_id INTEGER NOT NULL,
    kind     VARCHAR NOT NULL,      -- 'inflection', 'spelling' or 'hyphenation'
    source   VARCHAR NOT NULL       -- who says so; 'rules': the spelling of the two shows it
);

-- one row per unordered pair and kind
CREATE TABLE relation (
    word_a    INTEGER NOT NULL,     -- word_a < word_b
    word_b    INTEGER NOT NULL,
    kind      VARCHAR NOT NULL,     -- 'synonym' or 'antonym'
    direct    BOOLEAN NOT NULL,     -- a source states it; otherwise morphological negation derives it
    n_sources INTEGER NOT NULL,     -- how many independent sources state it; or, derived, what it is derived from
    contested BOOLEAN NOT NULL,     -- the pair is in this table as the other kind, too
    -- summaries of the evidence, so that views and look-ups need not read it
    sources   VARCHAR NOT NULL,     -- names of the sources, sorted, joined by commas
    pos       VARCHAR NOT NULL,     -- parts of speech, likewise; empty if no source gives one
    same_pos  BOOLEAN NOT NULL,     -- some evidence relates words of one part of speech
    usage_a   VARCHAR NOT NULL,     -- labels of word_a in this relation (archaic, slang ...), joined by commas
    usage_b   VARCHAR NOT NULL,     -- of word_b
    confidence DOUBLE NOT NULL,     -- chance that it holds in some ordinary sense; docs/confidence.md
    -- how good an answer is, comparable among the answers for one word; docs/ranking.md has the formula
    weight_a  DOUBLE  NOT NULL,     -- of word_b for word_a
    weight_b  DOUBLE  NOT NULL      -- of word_a for word_b
);

-- why a relation is there; also derived relations that a stated one contradicts, which are not in `relation`
CREATE TABLE evidence (
    word_a    INTEGER NOT NULL,
    word_b    INTEGER NOT NULL,
    kind      VARCHAR NOT NULL,
    source    VARCHAR NOT NULL,     -- who states it; for a derived relation, who states what it is derived from
    pos       VARCHAR,              -- part of speech, in wiktextract's names
    sense     VARCHAR,              -- gloss, or head and place in Roget
    scope     VARCHAR,              -- what of the source puts the two together, where that makes a difference
    n_words   INTEGER,              -- how many words it puts together: two, or a group; NULL: derived
    distance  INTEGER,              -- from one to the other among these: 1 side by side; derived: in what it comes from
    usage_a   VARCHAR[],            -- what the source says of the use of word_a: archaic, slang ...; NULL: nothing
    usage_b   VARCHAR[],            -- of word_b
    rule      VARCHAR,              -- NULL: stated. 'un-', '-less', 'un-+in-': derived. 'negation', or 'reversal' (lock,
                                    -- unlock): word and its base. 'double negation': word and its base's base.
                                    -- 'indirect': a source opposes them by way of another word (swift, slow).
                                    -- 'contradicted:...': derived, but the sources state the other kind
    from_a    INTEGER,              -- the stated relation a derived one comes from, from_a < from_b
    from_b    INTEGER,
    from_kind VARCHAR,
    same_pos  BOOLEAN NOT NULL,     -- false: derived across parts of speech (accurate, faultless: accurate, fault)
    usage     VARCHAR[] AS (list_sort(list_distinct(list_concat(usage_a, usage_b))))    -- of either
);

-- how likely a relation is that one kind of evidence gives; docs/confidence.md
CREATE TABLE reliability (
    kind       VARCHAR NOT NULL,
    way        VARCHAR NOT NULL,    -- 'stated', 'derived' or 'indirect'; 'own', 'reversal', 'double negation': its base
    same_pos   BOOLEAN NOT NULL,
    reader     VARCHAR NOT NULL,    -- kind of the source, or '*' for any
    scope      VARCHAR NOT NULL,    -- scope of the evidence, or '*' for any
    distance   INTEGER,             -- distance of the evidence at most; NULL: any
    confidence DOUBLE  NOT NULL
);

CREATE TABLE morphology (
    word_id      INTEGER   NOT NULL,
    segmentation VARCHAR   NOT NULL,    -- MorphoLEX notation
    prefixes     VARCHAR[] NOT NULL,    -- in MorphoLEX's spelling, left to right
    roots        VARCHAR[] NOT NULL,
    suffixes     VARCHAR[] NOT NULL,
    pos          VARCHAR[] NOT NULL,    -- parts of speech, as far as the analyser says
    analyser     VARCHAR   NOT NULL     -- 'morpholex', or 'affix' for words that only lexkit's affixes cut
);

CREATE TABLE negation (
    word_id  INTEGER NOT NULL,      -- unkind
    base_id  INTEGER NOT NULL,      -- kind
    affix    VARCHAR NOT NULL,      -- as the language's file names it: in is also im-, il-, ir-
    position VARCHAR NOT NULL,      -- 'prefix' or 'suffix'
    analyser VARCHAR NOT NULL,      -- 'morpholex' has the affix; 'affix': found without it
    reverses BOOLEAN NOT NULL,      -- undoes the base (unlock) rather than denies it (unkind)
    same_pos BOOLEAN NOT NULL       -- word and base have one part of speech; not so faultless, fault
);

CREATE TABLE tokenizer (
    tokenizer   VARCHAR NOT NULL,   -- its name on the hub, the name of its folder or file, or what the user called it
    fingerprint VARCHAR NOT NULL,   -- SHA-256 of its tokenizer.json
    vocab_size  INTEGER NOT NULL,
    added_at    VARCHAR NOT NULL
);

CREATE TABLE span (
    tokenizer VARCHAR   NOT NULL,
    word_id   INTEGER   NOT NULL,
    token_ids INTEGER[] NOT NULL,   -- of " " + word in running text, without special tokens; a word that the tokenizer
                                    -- cannot write has no row, and counts as one of too many tokens
    n_tokens  INTEGER   NOT NULL
);

-- every relation in both directions, with words for ids
CREATE VIEW synonyms AS
    SELECT a.word AS word, b.word AS synonym, direct, n_sources, string_split(sources, ',') AS sources, contested,
        CASE WHEN pos = '' THEN [] ELSE string_split(pos, ',') END AS pos, same_pos,
        CASE WHEN usage = '' THEN [] ELSE string_split(usage, ',') END AS usage, confidence, weight
    FROM (
        SELECT word_a AS this, word_b AS other, usage_b AS usage, weight_a AS weight, *
        FROM relation WHERE kind = 'synonym'
        UNION ALL
        SELECT word_b, word_a, usage_a, weight_b, * FROM relation WHERE kind = 'synonym'
    )
    JOIN word a ON a.word_id = this
    JOIN word b ON b.word_id = other;

CREATE VIEW antonyms AS
    SELECT a.word AS word, b.word AS antonym, direct, n_sources, string_split(sources, ',') AS sources, contested,
        CASE WHEN pos = '' THEN [] ELSE string_split(pos, ',') END AS pos, same_pos,
        CASE WHEN usage = '' THEN [] ELSE string_split(usage, ',') END AS usage, confidence, weight
    FROM (
        SELECT word_a AS this, word_b AS other, usage_b AS usage, weight_a AS weight, *
        FROM relation WHERE kind = 'antonym'
        UNION ALL
        SELECT word_b, word_a, usage_a, weight_b, * FROM relation WHERE kind = 'antonym'
    )
    JOIN word a ON a.word_id = this
    JOIN word b ON b.word_id = other;

-- per cent of a kind's relations that need at most max_tokens tokens a word (DSKD, arXiv 2602.22351, Table 2).
-- What a relation's tokens are, the paper does not say; reading:
--   both            every pair once; both its words need at most max_tokens
--   partner         every pair in both directions, word -> partner; the partner does
--   one_token_head  as partner, but only the directions whose word is a single token
CREATE VIEW keep_rate AS
    WITH pair AS (
        SELECT t.tokenizer, kind, coalesce(a.n_tokens, 2147483647) AS n_a, coalesce(b.n_tokens, 2147483647) AS n_b,
            count(*) AS n
        FROM relation CROSS JOIN tokenizer t
        LEFT JOIN span a ON a.word_id = word_a AND a.tokenizer = t.tokenizer
        LEFT JOIN span b ON b.word_id = word_b AND b.tokenizer = t.tokenizer
        GROUP BY ALL
    ),
    direction AS (
        SELECT tokenizer, kind, n_a AS n_head, n_b AS n_partner, n FROM pair
        UNION ALL
        SELECT tokenizer, kind, n_b, n_a, n FROM pair
    ),
    needed AS (
        SELECT 'both' AS reading, tokenizer, kind, greatest(n_a, n_b) AS n_tokens, n FROM pair
        UNION ALL
        SELECT 'partner', tokenizer, kind, n_partner, n FROM direction
        UNION ALL
        SELECT 'one_token_head', tokenizer, kind, n_partner, n FROM direction WHERE n_head = 1
    )
    SELECT tokenizer, reading, kind, max_tokens,
        100.0 * coalesce(sum(n) FILTER (n_tokens <= max_tokens), 0) / sum(n) AS percent
    FROM needed
    CROSS JOIN (SELECT unnest(range(1, 6)) AS max_tokens)
    GROUP BY tokenizer, reading, kind, max_tokens
    ORDER BY tokenizer, reading, kind, max_tokens;
