"""``lexkit distill``, found by lexkit through the entry point group ``lexkit.commands``; a module for each job.

Nothing here imports torch before a command runs, and without it every command says what to install.
"""

from lexkit_distill.cli import demo as demo
from lexkit_distill.cli import evaluate as evaluate
from lexkit_distill.cli import preview as preview
from lexkit_distill.cli import senses as senses
from lexkit_distill.cli import sweep as sweep
from lexkit_distill.cli import train as train
from lexkit_distill.cli.group import distill

__all__ = ["distill"]
