"""The configurations for several processes load, and say what they are for."""

from __future__ import annotations

from importlib import resources

import pytest

CONFIGS = {"gpus.yaml": "MULTI_GPU", "fsdp.yaml": "FSDP", "cpu.yaml": "MULTI_GPU"}


def test_every_shipped_configuration_is_tested() -> None:
    folder = resources.files("lexkit_distill.training") / "accelerate"
    assert {file.name for file in folder.iterdir()} == set(CONFIGS)


@pytest.mark.parametrize(("name", "kind"), CONFIGS.items())
def test_a_shipped_configuration_loads(name: str, kind: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    with resources.as_file(resources.files("lexkit_distill.training") / "accelerate" / name) as path:
        config = load_config_from_file(str(path))
    assert str(getattr(config.distributed_type, "value", config.distributed_type)) == kind
    assert config.num_processes > 1
    # lexkit casts itself; accelerate must not do it again
    assert config.mixed_precision == "no"


def test_fsdp_shards_layers_whole() -> None:
    import os

    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import FullyShardedDataParallelPlugin

    with resources.as_file(resources.files("lexkit_distill.training") / "accelerate" / "fsdp.yaml") as path:
        config = load_config_from_file(str(path))
    before = dict(os.environ)
    try:
        os.environ.update({name.upper(): str(value).lower() for name, value in config.fsdp_config.items()})
        plugin = FullyShardedDataParallelPlugin(auto_wrap_policy="transformer_based_wrap")
        assert plugin.fsdp_version == 2
    finally:
        os.environ.clear()
        os.environ.update(before)
