"""Plausible wrong answers to every exercise, lesson by lesson: each must be told its own cause."""
