"""The teacher: any causal language model of transformers, its tokenizer, and what identifies them."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lexkit.arguments import user_path
from lexkit.bounded_process import run
from lexkit.errors import first_line
from lexkit_distill.dense import dense_copy, is_quantized
from lexkit_distill.errors import TeacherError
from lexkit_distill.memory import is_out_of_memory
from lexkit_distill.tokenization import TextEncoder, context_of
from lexkit_distill.weights import files_digest, values_digest, weight_files

HEAD_TOKENS = 1024
"""Tokens whose logits exist at a time: with 128,256 words in the vocabulary, 0.5 GB in fp32."""
_MOST_LAYERS = 10_000
"""More than any model has; transformers makes as many as a configuration says, whatever the weights have."""
_SPLITS_DIGITS = ("smollm", "starcoder", "refact", "command-r")
"""Pre-tokenizers (GGUF's ``tokenizer.ggml.pre``) that separate all digits, which transformers' GGUF reader omits."""
_MEMORY, _SILENCE = 4 << 30, 120
"""Bytes beyond the size of a GGUF file, and seconds, that its header may take."""
_GGUF_SPECIAL = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
"""Where a GGUF file names the special tokens of a tokenizer."""
Quantize = Literal["4bit", "8bit"]
DeviceMap = Literal["auto"]


@dataclass(frozen=True)
class Teacher:
    """A causal language model in evaluation mode, and its tokenizer.

    Hidden states are those of the last layer after the final norm, so that logits = head(hidden state).
    """

    name: str
    model: Any
    tokenizer: Any
    files: tuple[Path, ...] = ()
    """The files of the weights; none, if the model was made in memory."""
    quantize: Quantize | None = None
    """To how many bits bitsandbytes has quantised the files' weights when they were loaded."""

    @property
    def device(self) -> torch.device:
        """Where the head is: hidden states come here, and all that is computed from them stays here."""
        device: torch.device = self.model.get_output_embeddings().weight.device
        return device

    @property
    def is_spread(self) -> bool:
        """Whether the layers are on several devices; accelerate's hooks then move what each of them reads."""
        return len(set(getattr(self.model, "hf_device_map", {"": 0}).values())) > 1

    @property
    def is_quantized(self) -> bool:
        """Whether linear maps of the layers have quantised weights."""
        return getattr(self.model.config, "quantization_config", None) is not None

    def copied(self, module: nn.Module) -> nn.Module:
        """Return a copy of one of the model's modules on `device`, with dense weights."""
        copied = dense_copy(module, self.model.dtype) if self.is_quantized else copy.deepcopy(module)
        if self.is_spread:
            from accelerate.hooks import remove_hook_from_module

            copied = remove_hook_from_module(copied, recurse=True).to(self.device)
        return copied

    @property
    def hidden_size(self) -> int:
        """d: dimensions of a hidden state."""
        return int(self.model.get_output_embeddings().weight.shape[1])

    @property
    def vocabulary_size(self) -> int:
        """Rows of the head, possibly more than the tokenizer has tokens."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @cached_property
    def encoder(self) -> TextEncoder:
        """Turns text into what the model reads."""
        return TextEncoder(self.name, self.tokenizer, self.vocabulary_size, context_of(self.model.config))

    @cached_property
    def special_ids(self) -> Tensor:
        """(V,) whether a token is special, or no token of the tokenizer at all."""
        special = torch.zeros(max(self.vocabulary_size, len(self.tokenizer)), dtype=torch.bool)
        special[len(self.tokenizer) :] = True
        special[list(self.tokenizer.all_special_ids)] = True
        # Marks such as <file_sep> are special without having one of transformers' roles
        special[[place for place, token in self.tokenizer.added_tokens_decoder.items() if token.special]] = True
        return special[: self.vocabulary_size]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the SHA-256 of the weights' files, or, of a model made in memory, the `values_digest`.

        It is the same whether the weights are loaded as bf16 or fp32.
        """
        return files_digest(self.files, self.quantize or "") if self.files else self.values_digest

    @cached_property
    def values_digest(self) -> str:
        """SHA-256 (hex) of all parameters. Unlike the fingerprint, it reads them all again each time.

        Other files may hold the same weights: a GGUF file, say, and the folder that was made of it. Quantised weights
        are kept in other forms on other devices; for these it is the fingerprint.
        """
        return self.fingerprint if self.is_quantized and self.files else values_digest(self.model)

    def is_of(self, *known: str | None) -> bool:
        """Whether one of these is the fingerprint, or the `values_digest`, of these weights.

        Dictionaries and samples of earlier versions have the latter only.
        """
        return self.fingerprint in known or self.values_digest in known

    def last_hidden(self, token_ids: Tensor) -> Tensor:
        """Return the hidden states (B, T, d) of right-padded token ids (B, T).

        No mask is needed: in a causal model no position sees what is right of it. `check` verifies this.
        """
        hidden: Tensor = self.model.base_model(input_ids=token_ids, use_cache=False).last_hidden_state
        return hidden.to(self.device)

    def predicted(self, hidden: Tensor) -> Tensor:
        """Return the most likely next token (n,) at hidden states (n, d), without holding all logits at once."""
        head = self.model.get_output_embeddings()
        return torch.cat([head(part).argmax(dim=-1) for part in torch.split(hidden, HEAD_TOKENS)])

    @torch.inference_mode()
    def check(self, token_ids: Tensor) -> None:
        """Make sure that hidden states are what this class says they are, on two rows of real token ids (2, T).

        Raises:
            TeacherError: the head does not give the model's logits from them, or padding changes them.
        """
        hidden = self.last_hidden(token_ids)
        logits = self.model(input_ids=token_ids, use_cache=False).logits
        if not torch.isfinite(hidden).all():
            raise TeacherError(
                f"{self.name}: hidden states are not finite in {self.model.dtype}; use --dtype float32 or bfloat16"
            )
        # Caps and scales of logits (Gemma 2, Granite) keep their order
        agreement = (self.predicted(hidden.flatten(0, 1)) == logits.flatten(0, 1).argmax(-1)).float().mean()
        if agreement < 0.98:
            raise TeacherError(
                f"{self.name}: {type(self.model).__name__} does not compute its logits from the last hidden state "
                f"alone (the head agrees on {agreement:.0%} of tokens); use another teacher"
            )
        half = max(token_ids.shape[1] // 2, 1)
        alone = self.last_hidden(token_ids[:1, :half]).float()
        error = (alone - hidden[:1, :half].float()).norm() / alone.norm()
        if error > 0.05:
            raise TeacherError(
                f"{self.name}: {type(self.model).__name__} is not causal (later tokens change earlier states by "
                f"{error:.0%}); use a decoder"
            )


def load_teacher(
    name: str,
    *,
    gguf: str | None = None,
    dtype: str = "bfloat16",
    device: str = "auto",
    process: int = 0,
    device_map: DeviceMap | None = None,
    quantize: Quantize | None = None,
) -> Teacher:
    """Load a causal language model and its tokenizer. On a GPU, this process then does without cuDNN's attention.

    Args:
        name: a folder, or a name on the Hugging Face hub.
        gguf: a GGUF file in it (or on its own path, if *name* is empty) to read instead; its weights become dense.
        dtype: of weights and arithmetic.
        device: a torch device, or ``auto``.
        process: number of this process on its machine; chooses among several GPUs.
        device_map: ``auto`` spreads the layers over all GPUs of this machine, where it has several.
        quantize: to how many bits bitsandbytes quantises the weights of its layers. What is quantised in its files
            stays so in any case, but for its head, which becomes dense.

    Raises:
        TeacherError: it cannot be loaded, is not a decoder, or has no fast tokenizer.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    source: dict[str, Any] = {"gguf_file": gguf} if gguf else {}
    folder = str(user_path(name)) if user_path(name).is_dir() else name
    place = chosen_device(device, process)
    if device_map:
        _check_alone()
    if place.type == "cuda":
        # cuDNN plans attention again for every shape of a batch, and texts have many lengths
        torch.backends.cuda.enable_cudnn_sdp(False)
    with quiet_transformers(), loading_errors(name, gguf):
        if gguf:
            _try(Path(folder) / gguf)
        config = AutoConfig.from_pretrained(folder, **source)
        _check_config(name, config)
        tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, **source)
        if gguf:
            from transformers import GgufConfig

            source["quantization_config"] = GgufConfig(dequantize=True)
            _restore_tokenizer(tokenizer, Path(folder) / gguf)
        if quantize:
            source["quantization_config"] = _quantization(name, config, gguf, quantize, dtype)
        # Weights go from their files to the device one by one; on a CPU, those that have this dtype stay in their files
        is_spread = device_map and place.type == "cuda" and torch.cuda.device_count() > 1
        source["device_map"] = device_map if is_spread else {"": place}
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), **source)
        if is_spread and {"cpu", "disk"} & set(map(str, model.hf_device_map.values())):
            raise TeacherError(f"{name}: does not fit on the GPUs; use more of them, or --quantize 4bit")
        if gguf:
            _make_ordinary(model)
        if getattr(model.config, "quantization_config", None) is not None:
            _settle(model)
        model.eval().requires_grad_(False)
    files = weight_files(folder, getattr(config, "_commit_hash", None), gguf)
    teacher = Teacher(folder if not gguf else f"{folder}/{gguf}", model, tokenizer, files, quantize)
    _check_parts(teacher)
    return teacher


def _check_alone() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        raise TeacherError("--device-map auto: one process takes all GPUs; leave it out, or start one process only")


def _check_config(name: str, config: Any) -> None:  # noqa: ANN401  # of transformers
    """Refuse an encoder-decoder, and a model that would never be made."""
    if getattr(config, "is_encoder_decoder", False):
        raise TeacherError(f"{name}: an encoder-decoder ({config.model_type}); use a decoder-only model")
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if isinstance(layers, int) and layers > _MOST_LAYERS:
        raise TeacherError(f"{name}: its config.json asks for {layers:,} layers; save the model again")


def _quantization(name: str, config: Any, gguf: str | None, quantize: Quantize, dtype: str) -> Any:  # noqa: ANN401
    """What has transformers quantise weights as it loads them."""
    from transformers import BitsAndBytesConfig

    make: Any = BitsAndBytesConfig
    if gguf or getattr(config, "quantization_config", None) is not None:
        raise TeacherError(f"{name}: its weights are quantised already; leave out --quantize")
    if find_spec("bitsandbytes") is None:
        raise TeacherError(f"--quantize {quantize}: bitsandbytes is not installed; run 'pip install bitsandbytes'")
    if quantize == "8bit":
        return make(load_in_8bit=True)
    return make(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, dtype))


def _settle(model: Any) -> None:  # noqa: ANN401
    """Make what is quantised quiet, and its head dense, since losses multiply with its weights."""
    # Products of 8 bits warn each time that they round what they read to fp16
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    head = model.get_output_embeddings()
    if head is not None and is_quantized(head):
        model.set_output_embeddings(dense_copy(head, model.dtype))


def _check_parts(teacher: Teacher) -> None:
    if teacher.model.get_output_embeddings() is None:
        raise TeacherError(f"{teacher.name}: has no language model head; use a causal language model")
    check_tokenizer(teacher.name, teacher.tokenizer)


def check_tokenizer(name: str, tokenizer: Any) -> None:  # noqa: ANN401  # of transformers
    """Make sure that a tokenizer says where its tokens are in a text.

    Raises:
        TeacherError: it is not a "fast" one.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise TeacherError(f"{name}: has no tokenizer.json (a 'fast' tokenizer); convert its tokenizer first")


def chosen_device(device: str, process: int = 0) -> torch.device:
    """Return the torch device that ``auto`` or a name stands for.

    Raises:
        TeacherError: no such device here.
    """
    try:
        if device == "auto":
            if torch.cuda.is_available():
                return torch.device("cuda", process % torch.cuda.device_count())
            return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
        place = torch.device(device)
        torch.empty(0, device=place)
        return place
    except (RuntimeError, AssertionError) as error:
        raise TeacherError(f"--device {device}: not usable here ({first_line(error)}); use cpu or auto") from error


def _make_ordinary(model: Any) -> None:  # noqa: ANN401
    """Its weights are dense now, but transformers would refuse to save it as the quantized model it was."""
    for part in (model, model.config):
        if hasattr(part, "hf_quantizer"):
            part.hf_quantizer = None
        if hasattr(part, "quantization_config"):
            del part.quantization_config


def _try(gguf: Path) -> None:
    """Read a GGUF file in a bounded process first; its numbers may promise anything."""
    list(run("lexkit_distill.gguf_trial", [str(gguf)], _MEMORY + gguf.stat().st_size, silence=_SILENCE))


def _restore_tokenizer(tokenizer: Any, path: Path) -> None:  # noqa: ANN401
    """Give the tokenizer what the GGUF file has and transformers' reader leaves out.

    Besides digits these are, where Hugging Face files lie beside it, the chat template and names of special tokens.
    """
    from gguf import GGUFReader
    from tokenizers.pre_tokenizers import Digits, Sequence

    fields = GGUFReader(path).fields
    backend = tokenizer.backend_tokenizer
    kind = fields.get("tokenizer.ggml.pre")
    if kind is not None and str(kind.contents()) in _SPLITS_DIGITS and "Digits" not in str(backend.pre_tokenizer):
        backend.pre_tokenizer = Sequence([Digits(individual_digits=True), backend.pre_tokenizer])
    template = fields.get("tokenizer.chat_template")
    if template is not None and not tokenizer.chat_template:
        tokenizer.chat_template = str(template.contents())
    for name, field in _GGUF_SPECIAL.items():
        if field in fields and getattr(tokenizer, name) is None:
            setattr(tokenizer, name, tokenizer.convert_ids_to_tokens(int(fields[field].contents())))


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without the bars, warnings and reports that transformers prints while it loads and saves."""
    from transformers.utils import logging

    their_logging: Any = logging

    level, bars = their_logging.get_verbosity(), their_logging.is_progress_bar_enabled()
    their_logging.set_verbosity(their_logging.CRITICAL)
    their_logging.disable_progress_bar()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        their_logging.set_verbosity(level)
        if bars:
            their_logging.enable_progress_bar()


@contextlib.contextmanager
def loading_errors(name: str, gguf: str | None = None) -> Iterator[None]:
    """Turn whatever goes wrong while something is loaded, but for missing memory, into a `TeacherError` of one line."""
    try:
        yield
    except TeacherError:
        raise
    except BaseException as error:  # transformers, safetensors, gguf and the hub's client raise many kinds
        is_panic = type(error).__name__ == "PanicException"  # of libraries in Rust, and no Exception
        if not (isinstance(error, Exception) or is_panic) or is_out_of_memory(error):
            raise
        file = f" (GGUF file {gguf})" if gguf else ""
        raise TeacherError(
            f"{name}{file}: cannot be loaded as a causal language model ({first_line(error)}); "
            "give a folder that save_pretrained made, or a name on the hub"
        ) from error
