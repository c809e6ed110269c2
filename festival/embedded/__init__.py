"""An AWS on this machine: moto, the function in a process of its own, the demo."""
