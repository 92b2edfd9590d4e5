"""HTTP: listening, TLS, authentication, and requests handed to whoever reads their bodies."""
