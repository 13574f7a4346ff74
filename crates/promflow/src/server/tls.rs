//! The certificate of the server.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio_rustls::TlsAcceptor;

use super::ServerError;
use crate::config::TlsFiles;

/// Reads certificate and key.
///
/// Errors: a file cannot be read, has no certificate or key in it, or they do not fit.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ServerError> {
    let read = |path| std::fs::read(path).map_err(|e| ServerError::file(path, e));
    let (cert, key) = (read(&files.cert)?, read(&files.key)?);
    let chain = rustls_pemfile::certs(&mut &cert[..])
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| ServerError::file(&files.cert, e))?;
    if chain.is_empty() {
        return Err(ServerError::file(&files.cert, "there is no certificate in it"));
    }
    let key = rustls_pemfile::private_key(&mut &key[..])
        .map_err(|e| ServerError::file(&files.key, e))?
        .ok_or_else(|| ServerError::file(&files.key, "there is no private key in it"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(ServerError::tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
