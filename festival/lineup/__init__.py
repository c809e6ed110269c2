"""Reads lineup files: bytes to performances, rejections, warnings. Standard library only."""
