"""The shapes of a lineup file: bytes or text to rows of cells."""
