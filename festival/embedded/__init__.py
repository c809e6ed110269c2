"""An AWS on this machine: moto, the function in its own process, the demo."""
