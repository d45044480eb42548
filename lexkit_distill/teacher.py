"""The teacher: any causal language model that transformers can load, with its tokenizer and their fingerprints."""

from __future__ import annotations

import copy
import logging
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
from lexkit_distill.dequantize import dequantized_copy, is_quantized
from lexkit_distill.errors import TeacherError
from lexkit_distill.loading import check_tokenizer, loading_errors, quiet_transformers
from lexkit_distill.tokenization import TextEncoder, context_of
from lexkit_distill.weights import files_digest, values_digest, weight_files

HEAD_TOKENS = 1024
"""Tokens whose logits are computed at a time: 0.5 GB in fp32 for a vocabulary of 128,256."""
_MOST_LAYERS = 10_000
"""More layers than any model has. transformers creates as many as config.json declares, whatever the weights hold."""
_SPLITS_DIGITS = ("smollm", "starcoder", "refact", "command-r")
"""Values of GGUF's ``tokenizer.ggml.pre`` whose pre-tokenizer splits digits; transformers' GGUF reader omits this."""
_MEMORY, _SILENCE = 4 << 30, 120
"""Limits for reading a GGUF header: bytes beyond the size of the file, and seconds."""
_GGUF_SPECIAL = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
"""GGUF field of each special token of a tokenizer."""
Quantize = Literal["4bit", "8bit"]
DeviceMap = Literal["auto"]


@dataclass(frozen=True)
class Teacher:
    """A causal language model in evaluation mode, and its tokenizer.

    Hidden states are those of the last layer after the final norm: logits = head(hidden state).
    """

    name: str
    model: Any
    tokenizer: Any
    files: tuple[Path, ...] = ()
    """Files that the weights were read from; empty for a model created in memory."""
    quantize: Quantize | None = None
    """Precision to which bitsandbytes quantised the weights on loading, if it did."""

    @property
    def device(self) -> torch.device:
        """Device of the head. Hidden states, and everything computed from them, are on this device."""
        device: torch.device = self.model.get_output_embeddings().weight.device
        return device

    @property
    def is_spread(self) -> bool:
        """Whether the layers are on several devices; accelerate's hooks then move inputs between them."""
        return len(set(getattr(self.model, "hf_device_map", {"": 0}).values())) > 1

    @property
    def is_quantized(self) -> bool:
        """Whether linear layers have quantised weights."""
        return getattr(self.model.config, "quantization_config", None) is not None

    def copy_module(self, module: nn.Module) -> nn.Module:
        """Return a copy of one of the model's modules on `device`, with dense weights."""
        copied = dequantized_copy(module, self.model.dtype) if self.is_quantized else copy.deepcopy(module)
        if self.is_spread:
            from accelerate.hooks import remove_hook_from_module

            copied = remove_hook_from_module(copied, recurse=True).to(self.device)
        return copied

    @property
    def hidden_size(self) -> int:
        """Dimensions of a hidden state (d)."""
        return int(self.model.get_output_embeddings().weight.shape[1])

    @property
    def vocabulary_size(self) -> int:
        """Rows of the head (V); possibly more than the tokenizer has tokens."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @cached_property
    def encoder(self) -> TextEncoder:
        """Converts text into the token ids that the model reads."""
        return TextEncoder(self.name, self.tokenizer, self.vocabulary_size, context_of(self.model.config))

    @cached_property
    def special_ids(self) -> Tensor:
        """(V,) whether each id is a special token, or is unknown to the tokenizer."""
        special = torch.zeros(max(self.vocabulary_size, len(self.tokenizer)), dtype=torch.bool)
        special[len(self.tokenizer) :] = True
        special[list(self.tokenizer.all_special_ids)] = True
        # Tokens such as <file_sep> are special but have no role in transformers, such as bos_token
        special[[place for place, token in self.tokenizer.added_tokens_decoder.items() if token.special]] = True
        return special[: self.vocabulary_size]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the digests of the weight files, or `values_digest` for a model created in memory.

        The fingerprint does not depend on whether weights are loaded as bf16 or fp32.
        """
        return files_digest(self.files, self.quantize or "") if self.files else self.values_digest

    @cached_property
    def values_digest(self) -> str:
        """SHA-256 (hex) of all parameters; unlike `fingerprint`, computing it reads all weights.

        It identifies the same weights in different files, such as a GGUF file and a folder converted from it. Quantised
        weights are stored differently on different devices, so for these it equals `fingerprint`.
        """
        return self.fingerprint if self.is_quantized and self.files else values_digest(self.model)

    def has_fingerprint(self, *known: str | None) -> bool:
        """Whether *known* contains `fingerprint` or `values_digest`; earlier versions stored only the latter."""
        return self.fingerprint in known or self.values_digest in known

    def last_hidden(self, token_ids: Tensor) -> Tensor:
        """Return the hidden states (B, T, d) of right-padded token ids (B, T).

        No attention mask is needed, since in a causal model no position attends to later ones. `check` verifies this.
        """
        hidden: Tensor = self.model.base_model(input_ids=token_ids, use_cache=False).last_hidden_state
        return hidden.to(self.device)

    def predicted(self, hidden: Tensor) -> Tensor:
        """Return the most likely next token (n,) for hidden states (n, d), without keeping all logits in memory."""
        head = self.model.get_output_embeddings()
        return torch.cat([head(part).argmax(dim=-1) for part in torch.split(hidden, HEAD_TOKENS)])

    @torch.inference_mode()
    def check(self, token_ids: Tensor) -> None:
        """Check on two rows of real token ids (2, T) that the model is causal and that logits = head(hidden state).

        Raises:
            TeacherError: either does not hold, or hidden states are not finite.
        """
        hidden = self.last_hidden(token_ids)
        logits = self.model(input_ids=token_ids, use_cache=False).logits
        if not torch.isfinite(hidden).all():
            raise TeacherError(
                f"{self.name}: hidden states are not finite in {self.model.dtype}; use --dtype float32 or bfloat16"
            )
        # Compare only the largest logit: soft caps and scales (Gemma 2, Granite) preserve the order
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
    """Load a causal language model and its tokenizer. On a GPU, this disables cuDNN attention in this process.

    Args:
        name: a folder, or a name on the Hugging Face hub.
        gguf: GGUF file in that folder (or a path, if *name* is empty) to read instead; its weights are dequantised.
        dtype: data type of weights and arithmetic.
        device: a torch device, or ``auto``.
        process: rank of this process on its machine; selects one of several GPUs.
        device_map: ``auto`` spreads the layers over all GPUs of this machine.
        quantize: precision to which bitsandbytes quantises the layers' weights. Weights that are quantised in the files
            stay quantised, except for the head, which is always dequantised.

    Raises:
        TeacherError: the model cannot be loaded, is not a decoder, or has no fast tokenizer.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    source: dict[str, Any] = {"gguf_file": gguf} if gguf else {}
    folder = str(user_path(name)) if user_path(name).is_dir() else name
    place = resolve_device(device, process)
    if device_map:
        _check_alone()
    if place.type == "cuda":
        # cuDNN builds a new plan for every batch shape, and texts have many lengths
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
        # Weights are loaded to the device one by one; on a CPU, those already of this dtype stay memory-mapped
        is_spread = device_map and place.type == "cuda" and torch.cuda.device_count() > 1
        source["device_map"] = device_map if is_spread else {"": place}
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), **source)
        if is_spread and {"cpu", "disk"} & set(map(str, model.hf_device_map.values())):
            raise TeacherError(f"{name}: does not fit on the GPUs; use more GPUs, or --quantize 4bit")
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
        raise TeacherError("--device-map auto: one process uses all GPUs; leave it out, or start only one process")


def _check_config(name: str, config: Any) -> None:  # noqa: ANN401  # of transformers
    """Reject encoder-decoders, and configurations with an absurd number of layers."""
    if getattr(config, "is_encoder_decoder", False):
        raise TeacherError(f"{name}: an encoder-decoder ({config.model_type}); use a decoder-only model")
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if isinstance(layers, int) and layers > _MOST_LAYERS:
        raise TeacherError(f"{name}: its config.json declares {layers:,} layers; save the model again")


def _quantization(name: str, config: Any, gguf: str | None, quantize: Quantize, dtype: str) -> Any:  # noqa: ANN401
    """Return the configuration that makes transformers quantise weights while loading."""
    from transformers import BitsAndBytesConfig

    make: Any = BitsAndBytesConfig
    if gguf or getattr(config, "quantization_config", None) is not None:
        raise TeacherError(f"{name}: the weights are already quantised; leave out --quantize")
    if find_spec("bitsandbytes") is None:
        raise TeacherError(f"--quantize {quantize}: bitsandbytes is not installed; run 'pip install bitsandbytes'")
    if quantize == "8bit":
        return make(load_in_8bit=True)
    return make(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, dtype))


def _settle(model: Any) -> None:  # noqa: ANN401
    """Silence bitsandbytes, and dequantise the head, since the losses multiply with its weights directly."""
    # Every 8-bit matrix product would warn that it casts its input to fp16
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    head = model.get_output_embeddings()
    if head is not None and is_quantized(head):
        model.set_output_embeddings(dequantized_copy(head, model.dtype))


def _check_parts(teacher: Teacher) -> None:
    if teacher.model.get_output_embeddings() is None:
        raise TeacherError(f"{teacher.name}: no language model head; use a causal language model")
    check_tokenizer(teacher.name, teacher.tokenizer)


def resolve_device(device: str, process: int = 0) -> torch.device:
    """Return the torch device for a name, or for ``auto``: a GPU if there is one (CUDA, then MPS), otherwise the CPU.

    Raises:
        TeacherError: the device does not exist on this machine.
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
    """Remove the marks of a quantised model from one whose weights are dense now, so that transformers can save it."""
    for part in (model, model.config):
        if hasattr(part, "hf_quantizer"):
            part.hf_quantizer = None
        if hasattr(part, "quantization_config"):
            del part.quantization_config


def _try(gguf: Path) -> None:
    """Read a GGUF header in a process with limited memory and time, since a damaged header can declare anything."""
    list(run("lexkit_distill.gguf_trial", [str(gguf)], _MEMORY + gguf.stat().st_size, silence=_SILENCE))


def _restore_tokenizer(tokenizer: Any, path: Path) -> None:  # noqa: ANN401
    """Restore what transformers' GGUF reader omits from the tokenizer.

    It omits the splitting of digits and, if the folder also has Hugging Face files, the chat template and the names of
    special tokens.
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
