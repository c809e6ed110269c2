"""What analysts use: answers as DataFrames, charts, lineup checks, the cost model."""
