"""Who may talk to a server of ours: our own user on loopback, holders of tokens over TLS beyond it."""
