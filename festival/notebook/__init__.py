"""Notebooks by papermill: parameters, running, reports."""
