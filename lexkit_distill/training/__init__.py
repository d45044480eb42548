"""Decoder-based sense knowledge distillation (paper, section 4): from a teacher and a sense dictionary to a student.

The data's way: `samples` (files) -> `encode` (tokens, targets, words) -> `batches` (steps) -> `step` (teacher,
`student`, losses `kd` and `semantic`) -> `trainer` (optimiser, evaluation, `checkpoint`, `logs`) -> `export`.
"""
