"""The student: the first L layers of the teacher, of which the last n are trained (paper, section 5.1).

The student shares all frozen modules (embeddings, layers, norm and head) with the teacher, so it adds only the memory
of its n trained layers, in fp32; trained layers of a quantised teacher are dequantised. The hidden state after the
frozen layers is also the same as the teacher's. The student therefore runs only its *tail*, the trained layers and the
norm, on the state that the teacher's forward pass has computed (the shared prefix).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._dynamo import config as dynamo

from lexkit_distill.checks import check_layers
from lexkit_distill.errors import TrainingError
from lexkit_distill.loading import quiet_transformers
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.cuda_graphs import ForwardGraphs
from lexkit_distill.training.kd import Head

_CROSS_LAYER = ("num_kv_shared_layers", "hidden_size_per_layer_input", "cross_attention_layers")
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.03, torch.float16: 0.01}
"""Largest relative difference between two ways to compute the same states, by dtype."""
_FORMS = 32
"""Most variants of a layer that torch.compile compiles: with or without gradients, mask, autocast, or several rows."""


class TeacherStates(NamedTuple):
    """Hidden states from one forward pass of the teacher."""

    prefix: Tensor
    """(B, T, d) hidden state after the student's frozen layers."""
    final: Tensor
    """(B, T, d) hidden state m of the last layer, after the final norm."""


class Student:
    """A student in training, and the teacher with which it shares its frozen modules.

    Args:
        teacher: a decoder built like Llama.
        layers: number of layers (L); None is half of the teacher's.
        trained: number of last layers that are trained (n).

    Raises:
        TrainingError: the teacher is not built like Llama, or has too few layers.
    """

    def __init__(self, teacher: Teacher, layers: int | None = None, trained: int = 2) -> None:
        base = teacher.model.base_model
        check_architecture(teacher)
        total = len(base.layers)
        layers = check_layers(layers, trained, total)
        self.teacher, self.layers, self.n_trained = teacher, layers, trained
        self.head = head_of(teacher)
        self.trained = nn.ModuleList(map(teacher.copy_module, base.layers[layers - trained : layers])).float()
        self.trained.requires_grad_(True)
        if teacher.is_spread:  # inputs of the layers may be on another device
            from accelerate.hooks import AlignDevicesHook, add_hook_to_module

            for layer in self.trained:
                add_hook_to_module(layer, AlignDevicesHook(teacher.device))
        frozen = list(base.layers[: layers - trained])
        norm = teacher.copy_module(base.norm)
        self.full = _shell(teacher, cut_config(teacher.model.config, 0, layers), [*frozen, *self.trained], norm)
        self.tail = _shell(teacher, cut_config(teacher.model.config, layers - trained, layers), self.trained, norm)
        self.tail.embed_tokens = nn.Identity()  # unused, but accelerate looks for it before sharding
        self.shares_prefix = True
        self.graphs: ForwardGraphs | None = None

    @property
    def module(self) -> nn.Module:
        """Module to pass to the optimiser and to wrappers for several processes: the tail, or all layers."""
        module: nn.Module = self.tail if self.shares_prefix else self.full
        return module

    def compile(self) -> None:
        """Fuse the element-wise operations in the layers of both models with torch.compile.

        Layers are compiled when the first batch runs, once for all of them. Copies of compiled layers are not compiled.
        """
        limit = "recompile_limit" if hasattr(dynamo, "recompile_limit") else "cache_size_limit"  # before PyTorch 2.6
        setattr(dynamo, limit, max(getattr(dynamo, limit), _FORMS))
        layers = list(self.teacher.model.base_model.layers)
        # `run_teacher` registers a new hook on this layer for each call, which would trigger recompilation
        del layers[self.layers - self.n_trained]
        for layer in [*([] if self.teacher.is_quantized else layers), *self.trained]:
            layer.compile(dynamic=True)

    def use_graphs(self) -> None:
        """Run the teacher with CUDA graphs if launching its kernels would take longer than running them."""
        if self.teacher.device.type == "cuda" and not self.teacher.is_spread:
            self.graphs = ForwardGraphs(self._launch_teacher, self.teacher.model.base_model.layers[0])

    @torch.no_grad()
    def run_teacher(self, token_ids: Tensor) -> TeacherStates:
        """Run the teacher on right-padded token ids (B, T)."""
        return TeacherStates(*(self.graphs or self._launch_teacher)(token_ids))

    def _launch_teacher(self, token_ids: Tensor) -> TeacherStates:
        kept: list[Tensor] = []

        def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            kept.append(args[0] if args else kwargs["hidden_states"])

        first_trained = self.teacher.model.base_model.layers[self.layers - self.n_trained]
        hook = first_trained.register_forward_pre_hook(keep, with_kwargs=True)
        try:
            final = self.teacher.last_hidden(token_ids)
        finally:
            hook.remove()
        return TeacherStates(kept[0].to(final.device), final)

    def run(self, module: nn.Module, token_ids: Tensor, prefix: Tensor | None) -> Tensor:
        """Return the student's last hidden states n (B, T, d).

        Args:
            module: `tail` or `full`, possibly wrapped for several processes.
            token_ids: (B, T) token ids, which only `full` reads.
            prefix: (B, T, d) teacher states after the frozen layers, for `tail`; None for `full`.
        """
        half = self.teacher.model.dtype
        with torch.autocast(token_ids.device.type, half, enabled=half != torch.float32):
            given = {"input_ids": token_ids} if prefix is None else {"inputs_embeds": prefix}
            hidden: Tensor = module(**given, use_cache=False).last_hidden_state
        return hidden

    def check_shared_prefix(self, token_ids: Tensor) -> float:
        """Compare running the tail on the teacher's state with running all L layers; if they differ, use the latter.

        Returns:
            The relative difference of the last hidden states.
        """
        with torch.no_grad():
            short = self.run(self.tail, token_ids, self.run_teacher(token_ids).prefix)
            plain = self.run(self.full, token_ids, None)
        difference = relative_difference(short, plain)
        self.shares_prefix = difference <= TOLERANCE[self.teacher.model.dtype]
        return difference

    def causal_lm(self, trained: dict[str, Tensor] | None = None) -> Any:  # noqa: ANN401  # a transformers model
        """Return the student as an ordinary causal language model, dense and in the teacher's precision.

        Args:
            trained: trained weights by name; None takes them from the student itself. Weights that FSDP has sharded
                over processes must be given.
        """
        teacher = self.teacher.model
        with torch.device("meta"):
            model = type(teacher)(cut_config(teacher.config, 0, self.layers))
        prefix = f"{teacher.base_model_prefix}.layers."
        first = self.layers - self.n_trained
        # Not state_dict(): on a CPU, it changes 4-bit layers of bitsandbytes so that they compute wrong results
        parts = teacher.named_parameters(remove_duplicate=False)
        state = {name: value.detach() for name, value in parts if not name.startswith(prefix)}
        for place, layer in enumerate(teacher.base_model.layers[:first]):
            # Dequantised layers may not all fit on the device
            dense = self.teacher.copy_module(layer).cpu() if self.teacher.is_quantized else layer
            state |= {f"{prefix}{place}.{name}": value for name, value in dense.state_dict().items()}
        if trained is None:
            trained = {f"layers.{name}": value for name, value in self.tail.layers.state_dict().items()}
            shift = first
        else:
            shift = first if self.shares_prefix else 0
        for name, value in trained.items():
            _, number, rest = name.split(".", 2)
            state[f"{prefix}{shift + int(number)}.{rest}"] = value.detach().to(teacher.device, teacher.dtype)
        model.load_state_dict(state, strict=True, assign=True)
        model.tie_weights()
        model.config.dtype = teacher.dtype
        if teacher.generation_config is not None:
            model.generation_config = copy.deepcopy(teacher.generation_config)
        return model.eval()


def head_of(teacher: Teacher) -> Head:
    """Return the head that teacher and student share."""
    module = teacher.model.get_output_embeddings()
    cap = getattr(teacher.model.config, "final_logit_softcapping", None)
    return Head(module.weight.detach(), getattr(module, "bias", None), cap)


def check_architecture(teacher: Teacher) -> None:
    """Check that a decoder can be cut after any layer.

    Raises:
        TrainingError: the decoder is not a plain stack of layers, or its layers share state with each other.
    """
    base, kind = teacher.model.base_model, type(teacher.model).__name__
    parts = ("embed_tokens", "layers", "norm")
    missing = [name for name in parts if not isinstance(getattr(base, name, None), nn.Module)]
    if missing:
        raise TrainingError(
            f"{teacher.name}: {kind} is not built like Llama (no {', '.join(missing)}); "
            "use a Llama, Mistral, Qwen, SmolLM or Gemma model"
        )
    for name in _CROSS_LAYER:
        if getattr(teacher.model.config, name, None):
            raise TrainingError(
                f"{teacher.name}: layers of {kind} share state with each other ({name}) and cannot be cut; "
                "use a Llama, Mistral, Qwen, SmolLM or Gemma 1 to 3 model"
            )


@torch.no_grad()
def check_head(teacher: Teacher, token_ids: Tensor) -> None:
    """Check that `head_of` computes the teacher's logits, on token ids (1, T).

    Raises:
        TrainingError: it does not.
    """
    logits = teacher.model(input_ids=token_ids, use_cache=False).logits.float()[0]
    head = head_of(teacher)
    found = head.capped(head.logits(teacher.last_hidden(token_ids)[0]))
    difference = float((found - logits).norm() / logits.norm())
    if not difference < 0.02:
        raise TrainingError(
            f"{teacher.name}: {type(teacher.model).__name__} changes its logits after the head (difference "
            f"{difference:.0%}), which is not supported; use a Llama, Mistral, Qwen, SmolLM or Gemma model"
        )


def relative_difference(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the difference relative to the norm of *expected*."""
    return float((found.float() - expected.float()).norm() / expected.float().norm())


def cut_config(config: Any, first: int, last: int) -> Any:  # noqa: ANN401
    """Return a configuration of layers *first* to *last* (exclusive); lists with one entry per layer are cut too."""
    cut = copy.deepcopy(config)
    total = config.num_hidden_layers
    cut.num_hidden_layers = last - first
    if hasattr(cut, "quantization_config"):
        del cut.quantization_config  # only modules shared with the teacher are quantised
    for name, value in list(vars(config).items()):
        if "layer" in name and isinstance(value, list | tuple) and len(value) == total:
            setattr(cut, name, list(value[first:last]))
    return cut


def _shell(teacher: Teacher, config: Any, layers: Any, norm: nn.Module) -> Any:  # noqa: ANN401
    """Return a model with these layers and norm, which shares all other modules with the teacher's base model.

    If the teacher is spread over several devices, rotary embeddings are copied to the device of the trained layers.
    """
    base = teacher.model.base_model
    with torch.device("meta"):
        shell = type(base)(config)
    for name, child in base.named_children():
        setattr(shell, name, teacher.copy_module(child) if teacher.is_spread and name.startswith("rotary") else child)
    shell.layers, shell.norm = nn.ModuleList(layers), norm
    return shell.eval()


def write_student(student: Student, folder: Path, trained: dict[str, Tensor] | None = None) -> None:
    """Write the student as an ordinary transformers folder: weights, configurations and tokenizer."""
    with quiet_transformers():
        student.causal_lm(trained).save_pretrained(folder)
    student.teacher.tokenizer.save_pretrained(folder)
