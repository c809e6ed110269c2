"""The CloudFormation stack: build, deploy, status, teardown."""
