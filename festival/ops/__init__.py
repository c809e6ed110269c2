"""What an operator does: build, deploy, the embedded AWS, backfills, running notebooks."""
