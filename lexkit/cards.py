"""The front matter of a card: YAML at the start of a README that tells the Hugging Face hub what a folder contains."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lexkit.safe_output import printable

HUB_LICENCES = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
    lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib
    pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown
    """.split()
)
"""Identifiers of licences that the hub knows, from its documentation ("Licenses"). Any other licence is ``other``."""
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
)


def front_matter(fields: Mapping[str, Any]) -> str:
    """Return the front matter of a card as YAML. Strings are quoted as in JSON, so that YAML cannot misread them.

    Args:
        fields: strings, lists of strings, or lists of mappings, by the hub's names; empty ones are left out.

    >>> print(front_matter({"language": ["no"], "license": None, "configs": [{"config_name": "a", "default": True}]}))
    ---
    language: ["no"]
    configs:
    - config_name: "a"
      default: true
    ---
    <BLANKLINE>
    """
    lines = ["---"]
    for name, value in fields.items():
        if not value:
            continue
        if isinstance(value, list) and isinstance(value[0], Mapping):
            lines.append(f"{name}:")
            for item in value:
                parts = [f"{key}: {_quoted(part)}" for key, part in item.items()]
                lines += [f"- {parts[0]}", *(f"  {part}" for part in parts[1:])]
        else:
            lines.append(f"{name}: {_quoted(value)}")
    return "\n".join([*lines, "---", ""])


def licence_fields(licences: Iterable[str | None]) -> dict[str, str]:
    """Return a card's ``license``, and its ``license_name`` if the hub has no identifier for the licence.

    Args:
        licences: SPDX identifiers or names of all licences that apply; None for an unknown one.

    >>> licence_fields(["CC-BY-SA-4.0"])
    {'license': 'cc-by-sa-4.0'}
    >>> licence_fields(["CC-BY-SA-4.0", "LicenseRef-public-domain", None])
    {'license': 'other', 'license_name': 'cc-by-sa-4.0-and-public-domain-and-unknown'}
    """
    names = sorted({_slug(licence or "unknown") for licence in licences}, key=lambda name: (name == "unknown", name))
    if len(names) == 1 and names[0] in HUB_LICENCES:
        return {"license": names[0]}
    return {"license": "other", "license_name": "-and-".join(names)} if names else {}


def language_field(language: str | None) -> list[str]:
    """Return a card's ``language``, an ISO 639 code. Wiktionary's codes of two or three letters are such codes."""
    return [language] if language and re.fullmatch("[a-z]{2,3}", language) else []


def size_field(rows: int) -> list[str]:
    """Return a card's ``size_categories`` for the number of rows of a data set."""
    return [next((name for most, name in _SIZES if rows < most), "100M<n<1B")]


def _slug(licence: str) -> str:
    name = re.sub(r"[^a-z0-9.+]+", "-", licence.removeprefix("LicenseRef-").lower()).strip("-")
    return name or "unknown"


def _quoted(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False))
