"""Runs notebooks by papermill, and has the helpers that the notebooks' cells import."""
