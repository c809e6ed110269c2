"""The CloudFormation stack: building, deploying, watching, verifying and removing it."""
