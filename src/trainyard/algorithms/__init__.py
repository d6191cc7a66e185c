"""Built-in algorithms and script mode: programs that a run starts, apart from the control plane."""
