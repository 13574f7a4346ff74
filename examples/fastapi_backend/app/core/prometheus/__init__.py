"""How this backend is measured: settings, metrics, middleware, and the server's files beside them."""
