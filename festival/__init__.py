"""festival: lineup files from S3 to answers in a notebook."""
