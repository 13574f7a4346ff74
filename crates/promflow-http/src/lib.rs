//! The HTTP client: TLS, authentication, redirects, limits.
