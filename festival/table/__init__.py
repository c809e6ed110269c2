"""The DynamoDB table: its schema, its items, the connection, the bulk writer. boto3 only."""
