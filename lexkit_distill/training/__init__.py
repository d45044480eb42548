"""Decoder-based sense knowledge distillation (paper, section 4): train a student with a teacher and a sense dictionary.

Data flow: `data` (documents) -> `encode` (tokens, targets, words) -> `batches` (steps) -> `step` (teacher, `student`,
losses `kd` and `semantic`) -> `trainer` (optimiser, evaluation, `checkpoint`, `logs`) -> `export`.
"""
