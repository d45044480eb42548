from __future__ import annotations

import subprocess
import sys

_ABSENT = """
import sys
sys.modules.update(dict.fromkeys({absent!r}))
from lexkit.cli.main import main
main(sys.argv[1:])
"""


def test_without_torch_or_the_harness_the_command_says_what_to_install_and_its_help_still_works() -> None:
    for absent in (("torch", "transformers", "accelerate"), ("lm_eval", "scipy")):
        script = _ABSENT.format(absent=absent)
        command = [sys.executable, "-W", "ignore", "-c", script, "distill", "eval"]
        done = subprocess.run([*command, "--model", "x", "--tasks", "arc"], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "pip install 'lexkit[eval]'" in done.stderr
        shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
        assert shown.returncode == 0
        assert "Example:" in shown.stdout
