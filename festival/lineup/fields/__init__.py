"""Reads single cells: text, dates and times, popularity."""
