"""What the stack costs, and how long an ingest takes."""
