"""An AWS on this machine for demo and tests: moto, with the function in a process of its own."""
