"""Marks submitted lessons on a teacher's machine: `python -m gpucourse grade FOLDER --csv OUT`."""
