"""The values of single cells: text, times, popularity."""
