"""Exercises of part II, training (notebooks 03 and 04)."""

EXERCISES = {}
