"""Diagnosis of a fitted model: one small function for each possible fault."""
