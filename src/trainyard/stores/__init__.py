"""Where records live. Each package is one implementation of ports.store."""
