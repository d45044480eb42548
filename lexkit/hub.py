"""Upload folders to the Hugging Face hub with `huggingface_hub`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from lexkit.errors import HubError, first_line

_LONGEST_NAME = 96
RepositoryType = Literal["model", "dataset"]


def is_repository_name(name: str) -> bool:
    """Whether *name* is a valid name of a repository on the hub.

    >>> is_repository_name("someone/thesaurus"), is_repository_name("../thesaurus")
    (True, False)
    """
    part = r"[A-Za-z0-9_](?:[\w.-]*[\w])?"
    if len(name) > _LONGEST_NAME or name.endswith(".git"):
        return False
    return bool(re.fullmatch(f"(?:{part}/)?{part}", name, re.ASCII)) and "--" not in name and ".." not in name


def check_upload(name: str, extra: str = "hub") -> None:
    """Check, without network, that the client is installed, a token is set, and the repository's name is valid.

    Args:
        name: name of the repository, such as ``someone/thesaurus``.
        extra: the extra of lexkit that installs the client.

    Raises:
        HubError: one of these is not so. The message does not name the repository.
    """
    if find_spec("huggingface_hub") is None:
        raise HubError(f"needs the package huggingface_hub, which is not installed; pip install 'lexkit[{extra}]'")
    if not is_repository_name(name):
        raise HubError(f"cannot be the name of a repository; write OWNER/NAME, at most {_LONGEST_NAME} signs")
    from huggingface_hub import get_token

    if get_token() is None:
        raise HubError("no token for the hub is set; run 'hf auth login', or set HF_TOKEN")


def upload(
    folder: Path,
    name: str,
    kind: RepositoryType,
    *,
    private: bool = False,
    ignore: Sequence[str] = (),
    replace: Sequence[str] = (),
) -> str:
    """Upload the files of a folder to a repository, which is created if it does not exist, and return its address.

    Args:
        folder: the folder to upload.
        name: name of the repository.
        kind: type of the repository.
        private: whether only its owner may see the repository.
        ignore: patterns of files to leave out.
        replace: patterns of files in the repository that are deleted unless the folder has them.

    Raises:
        HubError: the upload fails, or *private* is set and the repository is public. The message does not name the
            repository.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        address = str(api.create_repo(name, repo_type=kind, private=private or None, exist_ok=True))
        is_public = private and not api.repo_info(name, repo_type=kind).private
        if not is_public:
            api.upload_folder(
                repo_id=name,
                repo_type=kind,
                folder_path=folder,
                commit_message="Upload with lexkit",
                ignore_patterns=list(ignore) or None,
                delete_patterns=list(replace) or None,
            )
    except Exception as error:  # the client raises many kinds
        raise HubError(first_line(error)) from error
    if is_public:
        raise HubError("the repository exists and is public; make it private on the hub, or leave out --private")
    return address
