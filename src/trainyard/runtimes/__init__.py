"""How a run runs. Each package is one implementation of ports.runtime.Runtime."""
