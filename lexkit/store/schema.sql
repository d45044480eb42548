-- The tables and views of a lexkit store, schema version 2.
--
-- Rows are in the order of their keys. There are no declared keys or indexes: the tables are written once, `lexkit
-- verify` checks what keys would guarantee, and DuckDB scans tables of this size faster than it maintains indexes.

-- facts about the build: schema_version, lexkit_version, language, built_at (UTC, ISO 8601), options (JSON: how the
-- store was built), checksums (JSON: of each other table, see lexkit/store/checksum.py)
CREATE TABLE meta (
    key   VARCHAR NOT NULL,
    value VARCHAR NOT NULL
);

-- one row per file read
CREATE TABLE source (
    source     VARCHAR NOT NULL,    -- name used in evidence: the kind, or kind:2 ... for more files of a kind
    kind       VARCHAR NOT NULL,    -- wiktionary, roget, morpholex, pairs, or the name of a plugin
    origin     VARCHAR NOT NULL,    -- the resource from which the file is derived; sources of one origin count as one
    uri        VARCHAR NOT NULL,    -- the file as the user named it
    sha256     VARCHAR NOT NULL,    -- checksum of the file as it was on disk; for a folder, see docs/plugins.md
    bytes      BIGINT  NOT NULL,
    licence    VARCHAR,             -- SPDX identifier if there is one; NULL if lexkit does not know the licence
    n_records  BIGINT  NOT NULL,    -- lines (wiktionary, pairs), terms (roget), rows (morpholex) read
    n_rejected BIGINT  NOT NULL,    -- sum of rejection.n
    read_at    VARCHAR NOT NULL     -- UTC, ISO 8601
);

-- refusals by source and reason; nothing is dropped silently
CREATE TABLE rejection (
    source  VARCHAR NOT NULL,
    reason  VARCHAR NOT NULL,
    n       BIGINT  NOT NULL,
    example VARCHAR NOT NULL        -- the first refused text, with its place in the file
);

-- one row per word
CREATE TABLE word (
    word_id INTEGER NOT NULL,       -- 0, 1, 2 ... in the order of the words' code points
    word    VARCHAR NOT NULL,       -- NFC, trimmed, inner white space collapsed, case unchanged
    folded  VARCHAR NOT NULL,       -- the word in lower case, for look-up
    frequency DOUBLE,               -- Zipf scale: log10 of occurrences in a billion words; NULL if unknown
    label   VARCHAR,                -- 'offensive', 'vulgar' or 'archaic' if lexkit's lists say so for every sense
    attested VARCHAR NOT NULL       -- names of the sources that have the word, sorted and joined by commas
);

-- words that are forms of other words: ran, mice, happier; colour, o'clock; well known, well-known
CREATE TABLE form (
    word_id  INTEGER NOT NULL,
    lemma_id INTEGER NOT NULL,
    kind     VARCHAR NOT NULL,      -- 'inflection', 'spelling' or 'hyphenation'
    source   VARCHAR NOT NULL       -- the source that lists it, or 'rules' if a rule derives it from the spellings
);

-- one row per unordered pair and kind
CREATE TABLE relation (
    word_a    INTEGER NOT NULL,     -- word_a < word_b
    word_b    INTEGER NOT NULL,
    kind      VARCHAR NOT NULL,     -- 'synonym' or 'antonym'
    direct    BOOLEAN NOT NULL,     -- true: a source states it; false: it is derived by morphological negation
    n_sources INTEGER NOT NULL,     -- number of independent sources that state it, or from which it is derived
    contested BOOLEAN NOT NULL,     -- whether the pair is also in this table as the other kind
    -- summaries of the evidence, so that views and look-ups need not read it
    sources   VARCHAR NOT NULL,     -- names of the sources, sorted and joined by commas
    pos       VARCHAR NOT NULL,     -- parts of speech, likewise; empty if no source gives one
    same_pos  BOOLEAN NOT NULL,     -- whether any evidence relates words of the same part of speech
    usage_a   VARCHAR NOT NULL,     -- labels of word_a in this relation (archaic, slang ...), joined by commas
    usage_b   VARCHAR NOT NULL,     -- labels of word_b
    confidence DOUBLE NOT NULL,     -- chance that it holds in some ordinary sense; see docs/confidence.md
    -- rank of the answers for one word, higher is better; docs/ranking.md has the formula
    weight_a  DOUBLE  NOT NULL,     -- weight of word_b as an answer for word_a
    weight_b  DOUBLE  NOT NULL      -- weight of word_a as an answer for word_b
);

-- the reasons for each relation, and derived relations that a stated one contradicts, which are not in `relation`
CREATE TABLE evidence (
    word_a    INTEGER NOT NULL,
    word_b    INTEGER NOT NULL,
    kind      VARCHAR NOT NULL,
    source    VARCHAR NOT NULL,     -- the source that states it, or that states the relation it is derived from
    pos       VARCHAR,              -- part of speech, in wiktextract's names
    sense     VARCHAR,              -- gloss, or head and place in Roget
    scope     VARCHAR,              -- what connects the two in the source, if the source has several ways
    n_words   INTEGER,              -- number of words that the source connects there: two, or a group; NULL if derived
    distance  INTEGER,              -- distance of the two among these words, 1 if adjacent; or of from_a and from_b
    usage_a   VARCHAR[],            -- labels that the source gives word_a: archaic, slang ...; NULL if none
    usage_b   VARCHAR[],            -- labels that it gives word_b
    rule      VARCHAR,              -- NULL: stated. 'un-', '-less', 'un-+in-': derived. 'negation' or 'reversal' (lock,
                                    -- unlock): a word and its base. 'double negation': a word and its base's base.
                                    -- 'indirect': a source opposes them by way of another word (swift, slow).
                                    -- 'contradicted:...': derived, but the sources state the other kind
    from_a    INTEGER,              -- the stated relation from which it is derived, with from_a < from_b
    from_b    INTEGER,
    from_kind VARCHAR,
    same_pos  BOOLEAN NOT NULL,     -- false if derived across parts of speech (accurate, faultless: accurate, fault)
    usage     VARCHAR[] AS (list_sort(list_distinct(list_concat(usage_a, usage_b))))    -- labels of either word
);

-- how likely a relation is to hold, by the kind of evidence for it; see docs/confidence.md
CREATE TABLE reliability (
    kind       VARCHAR NOT NULL,
    way        VARCHAR NOT NULL,    -- 'stated', 'derived', 'indirect'; for a word and its base also 'own', 'reversal',
                                    -- 'double negation'
    same_pos   BOOLEAN NOT NULL,
    reader     VARCHAR NOT NULL,    -- kind of the source, or '*' for any
    scope      VARCHAR NOT NULL,    -- scope of the evidence, or '*' for any
    distance   INTEGER,             -- maximum distance of the evidence; NULL for any
    confidence DOUBLE  NOT NULL
);

-- words cut into morphemes
CREATE TABLE morphology (
    word_id      INTEGER   NOT NULL,
    segmentation VARCHAR   NOT NULL,    -- MorphoLEX notation
    prefixes     VARCHAR[] NOT NULL,    -- in MorphoLEX's spelling, left to right
    roots        VARCHAR[] NOT NULL,
    suffixes     VARCHAR[] NOT NULL,
    pos          VARCHAR[] NOT NULL,    -- parts of speech, as far as the analyser gives them
    analyser     VARCHAR   NOT NULL     -- 'morpholex', or 'affix' for words that only lexkit's affixes cut
);

-- negated words and their bases
CREATE TABLE negation (
    word_id  INTEGER NOT NULL,      -- the negated word: unkind
    base_id  INTEGER NOT NULL,      -- the word that it negates: kind
    affix    VARCHAR NOT NULL,      -- name of the affix in the language's file; in also stands for im-, il-, ir-
    position VARCHAR NOT NULL,      -- 'prefix' or 'suffix'
    analyser VARCHAR NOT NULL,      -- 'morpholex' if MorphoLEX confirms the affix, otherwise 'affix'
    reverses BOOLEAN NOT NULL,      -- true if the word undoes its base (unlock) instead of denying it (unkind)
    same_pos BOOLEAN NOT NULL       -- whether both have the same part of speech; false for faultless, fault
);

-- tokenizers whose spans are in the store
CREATE TABLE tokenizer (
    tokenizer   VARCHAR NOT NULL,   -- the name given by the user, or its name on the hub, or that of its folder or file
    fingerprint VARCHAR NOT NULL,   -- SHA-256 of its tokenizer.json
    vocab_size  INTEGER NOT NULL,
    added_at    VARCHAR NOT NULL
);

-- the tokens of each word. A word that the tokenizer cannot encode has no row, and counts as having too many tokens
CREATE TABLE span (
    tokenizer VARCHAR   NOT NULL,
    word_id   INTEGER   NOT NULL,
    token_ids INTEGER[] NOT NULL,   -- tokens of " " + word in running text, without special tokens
    n_tokens  INTEGER   NOT NULL
);

-- every relation in both directions, with words in place of ids
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

-- percentage of the relations of a kind that need at most max_tokens tokens per word (DSKD, arXiv 2602.22351, Table 2).
-- The paper does not say which tokens of a relation it counts, so there are three readings:
--   both            every pair once; each of its words needs at most max_tokens
--   partner         every pair in both directions, word -> partner; the partner needs at most max_tokens
--   one_token_head  as partner, but only directions in which the word is a single token
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
