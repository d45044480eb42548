"""The commands of ``lexkit distill``, one module per job, which lexkit finds through an entry point.

Commands import torch only after they have checked their arguments. If torch is missing, they say what to install.
"""

from lexkit_distill.cli.group import distill

__all__ = ["distill"]
