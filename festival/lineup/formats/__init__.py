"""The shapes of lineup files: each module splits one of them into rows of cells."""
