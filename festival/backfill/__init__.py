"""Backfills: ingesting many files of a bucket in one run, which is planned before it starts."""
