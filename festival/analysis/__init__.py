"""What a person looks at: DataFrames, charts, lineup checks, the cost model."""
