"""Ingests files: the Lambda handler, the ledger, writing rows, the e-mail. Needs only boto3."""
