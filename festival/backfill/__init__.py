"""Loads many files into the table at once: plan, engines, run."""
