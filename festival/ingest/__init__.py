"""One file into the table: pipeline, ledger, e-mail, Lambda handler. boto3 only."""
