"""Small valid files of every form that lexkit reads, which the fuzzing round changes."""

from __future__ import annotations

import io
import json
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fuzz_mutations import zipped

WORDS = (
    "kind unkind friendly hostile happy unhappy glad sad good bad hope hopeful hopeless big large quick swift".split()
)
_SCHEMAS = "http://schemas.openxmlformats.org"
_MAIN = f"{_SCHEMAS}/spreadsheetml/2006/main"
_OFFICE = f"{_SCHEMAS}/officeDocument/2006/relationships"


def wiktionary() -> bytes:
    """Return lines of wiktextract with every field that lexkit reads."""
    entries: list[dict[str, Any]] = [
        {
            "word": word,
            "lang": "English",
            "lang_code": "en",
            "pos": "adj",
            "tags": ["archaic"],
            "forms": [{"form": f"{word}er", "tags": ["comparative"]}, {"form": f"{word}est", "tags": ["superlative"]}],
            "senses": [
                {
                    "glosses": [f"What is {word}."],
                    "tags": ["slang"],
                    "synonyms": [{"word": other, "tags": ["informal"], "sense": "mild"}, {"word": "Thesaurus:kind"}],
                    "antonyms": [{"word": f"not {other}", "extra": "rare"}],
                    "form_of": [{"word": other}],
                    "alt_of": [{"word": other}],
                }
            ],
            "synonyms": [{"word": f"{other} / {word}", "sense_index": "1a-c", "roman": "x", "topics": ["law"]}],
            "antonyms": [{"word": other, "source": "Thesaurus:kind", "qualifier": "dated"}],
        }
        for word, other in pairwise(WORDS)
    ]
    return b"\n".join(json.dumps(entry).encode() for entry in entries) + b"\n"


def dump() -> bytes:
    """Return a MediaWiki dump of two pages."""
    page = (
        "<page><title>{0}</title><ns>0</ns><id>1</id><revision><id>1</id><model>wikitext</model>\n"
        '<format>text/x-wiki</format><text xml:space="preserve">==English==\n===Adjective===\n{{{{en-adj}}}}\n'
        "# Good.\n====Synonyms====\n* {{{{l|en|{1}}}}}</text></revision></page>\n"
    )
    head = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10" xml:lang="en">\n'
    return (head + page.format("kind", "friendly") + page.format("glad", "happy") + "</mediawiki>\n").encode()


def roget_22() -> bytes:
    """Return two heads in the layout of Gutenberg's etext #22."""
    return b"""Roget's Thesaurus

     #1. Existence.-- N. existence, being, entity, ens[Lat], esse[obs3]; subsistence; reality, actuality;
positiveness &c. adj.; fact, matter of fact, sober reality; truth &c. 494; actual existence.
     presence &c. (existence in space) 186.
     [Science of existence], ontology.
     V. exist, be; have being &c. n.; subsist, live, breathe.
     Adj. existing &c. v.; existent, subsistent; real, actual.
     Phr. ens rationis; "cogito ergo sum" [Descartes].

     #2. Inexistence.-- N. inexistence[obs3]; nonexistence, nonsubsistence;
nonentity, nil; negativeness &c. adj.
     annihilation; extinction &c. (destruction) 162.
     V. not exist &c. 1; have no existence &c. 1.

<--  p.  1  -->
%
2. BEING, IN THE CONCRETE
%
"""


def roget_10681() -> bytes:
    """Return two heads in the layout of Gutenberg's etext #10681."""
    return b"""1. Existence -- N. existence, being, entity, ens [Lat.], esse [Lat.], subsistence.
     reality, actuality; positiveness &c adj.; fact, matter of fact, sober reality; truth &c 494.
V. exist, be; have being &c n.; subsist^, live, breathe.
Adj. existing &c v.; existent, subsistent; real, actual; na_ve.
Phr. _ens rationis_ [Lat.]; "cogito ergo sum" [Descartes].

2. Inexistence -- N. inexistence^; nonexistence, nonsubsistence;
nonentity, nil; negativeness &c adj.
     annihilation; extinction &c (destruction) 162.
V. not exist &c 1; have no existence &c 1.

2. BEING, IN THE CONCRETE
"""


def roget_table() -> bytes:
    """Return a table of facts, with the column of labels."""
    rows = ["head\tname\tpos\tparagraph\tgroup\tterm\tusage"]
    for number, word in enumerate(WORDS):
        rows.append(f"{number // 4 + 1}\tExistence\tadj\t{number % 2 + 1}\t{number % 3 + 1}\t{word}\tobsolete")
    return "\n".join(rows).encode() + b"\n"


_ROWS = [("Word", "POS", "MorphoLexSegm")] + [(word, "JJ|NN", "{(" + word + ")}") for word in WORDS]
_ROWS += [("unkindness", "NN", "<un<{(kind)}>ness>"), ("hopelessly", "RB", "{(hope)}>less>>ly>")]


def morpholex_table(separator: str) -> bytes:
    """Return a table of MorphoLEX, separated by commas or tabs."""
    return "\n".join(separator.join(row) for row in _ROWS).encode() + b"\n"


def morpholex_workbook() -> bytes:
    """Return the least workbook of MorphoLEX."""
    cell = '<c r="{0}{1}" t="inlineStr"><is><t>{2}</t></is></c>'
    rows = "".join(
        f'<row r="{number}">'
        + "".join(cell.format(letter, number, escape(text)) for letter, text in zip("ABC", row, strict=True))
        + "</row>"
        for number, row in enumerate(_ROWS, 1)
    )
    relation = '<Relationships xmlns="{0}/package/2006/relationships"><Relationship Id="{1}" Type="{2}" Target="{3}"/>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_SCHEMAS}/package/2006/content-types"/>',
        "_rels/.rels": relation.format(_SCHEMAS, "r", f"{_OFFICE}/officeDocument", "xl/workbook.xml")
        + "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="1-1-0" sheetId="1" r:id="s1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relation.format(_SCHEMAS, "s1", f"{_OFFICE}/worksheet", "worksheets/sheet1.xml")
        + "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }
    return zipped({name: text.encode() for name, text in files.items()})


def pairs() -> bytes:
    """Return two words a line."""
    return b"".join(f"{a} {b}\n".encode() for a, b in pairwise(WORDS))


def wndb() -> dict[str, bytes]:
    """Return the files of a WordNet database."""
    head = b"  1 WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.  \n"
    bodies = {
        "data.noun": b'00000100 03 n 02 hot_dog 0 Frankfurter 1 001 @ 00000200 n 0000 | a sausage; "he ate it"\n'
        b"00000200 03 n 01 food 0 000 | what is eaten  \n",
        "data.verb": b"00000100 30 v 01 rise 0 002 ! 00000200 v 0101 ! 00000200 v 0102 02 + 01 00 + 02 01 | go up\n"
        b"00000200 30 v 02 sink 0 fall 2 002 ! 00000100 v 0201 ! 00000100 v 0101 00 | go down\n",
        "data.adj": b"00000100 00 a 02 fast 0 speedy(a) 0 002 & 00000200 a 0000 ! 00000300 a 0101 | at speed\n"
        b"00000200 00 s 02 swift 0 fleet(ip) 0 001 & 00000100 a 0000 | moving fast\n"
        b"00000300 00 a 01 slow(p) 0 002 ! 00000100 a 0101 ! 00000200 s 0101 | not fast\n",
        "data.adv": b"00000100 02 r 02 well 0 good 0 000 | in a good way\n",
    }
    return {name: head + body for name, body in bodies.items()}


def lmf() -> bytes:
    """Return a WordNet in WN-LMF."""
    entries = "".join(
        f'<LexicalEntry id="e-{word}"><Lemma writtenForm="{word}" partOfSpeech="a"/>'
        f'<Sense id="s-{word}" synset="y{number // 2}">'
        f'<SenseRelation relType="antonym" target="s-{WORDS[number - 1]}"/></Sense></LexicalEntry>\n'
        for number, word in enumerate(WORDS)
    )
    synsets = "".join(
        f'<Synset id="y{number}" ili="in" partOfSpeech="a" members="e-{WORDS[2 * number]}">'
        f"<Definition>what is {WORDS[2 * number]}</Definition>"
        f'<SynsetRelation relType="similar" target="y0"/></Synset>\n'
        for number in range(len(WORDS) // 2)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.3.dtd">\n'
        '<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/">\n'
        '<Lexicon id="w" label="A WordNet" language="en" email="x@example.org" '
        'license="https://creativecommons.org/licenses/by/4.0/" version="1" citation="x">\n'
        f"{entries}{synsets}</Lexicon>\n</LexicalResource>\n"
    ).encode()


def tarred(files: dict[str, bytes]) -> bytes:
    """Return files as a .tar, the same bytes each time."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def mythes() -> bytes:
    """Return a thesaurus of MyThes."""
    lines = ["UTF-8"]
    for word, other in zip(WORDS, WORDS[2:], strict=False):
        lines += [f"{word}|2", f"(adj)|{other}|mild (generic term)", f"(noun)|{word}ness (related term)|bad (antonym)"]
    return "\n".join(lines).encode() + b"\n"


def tokenizers() -> dict[str, bytes]:
    """Return files ``tokenizer.json`` of four kinds: byte-level BPE, WordPiece, Unigram, and BPE with byte fallback."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("k", "i"), ("n", "d"), ("ki", "nd"), ("\u0120", "u")]
    for a, b in merges:
        letters[a + b] = len(letters)
    byte_level = Tokenizer(models.BPE(vocab=letters, merges=merges))
    byte_level.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ?\\w+|[^\\w]", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    plain = {letter: number for number, letter in enumerate(["[UNK]", *"abcdefghijklmnopqrstuvwxyz"])}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        plain[f"##{letter}"] = len(plain)
    pieces = Tokenizer(models.WordPiece(vocab=plain, unk_token="[UNK]"))  # type: ignore[call-arg]
    pieces.normalizer = normalizers.BertNormalizer()
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    scored = [("<unk>", 0.0), ("\u2581", -2.0), *((letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz")]
    unigram = Tokenizer(models.Unigram(scored, 0, False))
    unigram.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("  ", " ")])
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    fallback = {"<unk>": 0, **{f"<0x{byte:02X}>": byte + 1 for byte in range(256)}, "\u2581": 257, "k": 258}
    old = Tokenizer(models.BPE(vocab=fallback, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    old.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    found = {"byte-level": byte_level, "wordpiece": pieces, "unigram": unigram, "fallback": old}
    return {name: tokenizer.to_str().encode() for name, tokenizer in found.items()}


def teacher(folder: Path, layers: int = 2) -> Path:
    """Write a tiny Llama with random weights, and its tokenizer and chat template, as transformers saves them."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|end|>", "<|start|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f" {a} {b}" for a in WORDS for b in WORDS], trainer)
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", bos_token="<|start|>", pad_token="<|end|>"
    )
    wrapped.chat_template = (
        "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    )
    wrapped.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(wrapped) + 8,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=128,
        bos_token_id=1,
        eos_token_id=0,
        pad_token_id=0,
        initializer_range=0.5,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def gguf(path: Path, tokenizer: bytes) -> Path:
    """Write a tiny Llama as a GGUF file, with the vocabulary of a ``tokenizer.json``."""
    import numpy as np
    from gguf import GGUFWriter

    vocabulary: dict[str, int] = json.loads(tokenizer)["model"]["vocab"]
    merges = [" ".join(pair) for pair in json.loads(tokenizer)["model"]["merges"]]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(8)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * len(tokens))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_chat_template("{% for message in messages %}{{ message['content'] }}</s>{% endfor %}")
    rng = np.random.default_rng(0)
    shapes = {"token_embd.weight": (len(tokens), 32), "output_norm.weight": (32,), "output.weight": (len(tokens), 32)}
    layer = {"attn_norm": (32,), "attn_q": (32, 32), "attn_k": (16, 32), "attn_v": (16, 32), "attn_output": (32, 32)}
    layer |= {"ffn_norm": (32,), "ffn_gate": (64, 32), "ffn_up": (64, 32), "ffn_down": (32, 64)}
    shapes |= {f"blk.0.{name}.weight": shape for name, shape in layer.items()}
    for name, shape in shapes.items():
        writer.add_tensor(name, rng.standard_normal(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
