//! The connection to the gateway.

use std::sync::Arc;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::PushError;

/// Makes a connector; the authorities of the system are read only where they are needed.
///
/// Errors: the certificates to trust cannot be read.
pub(super) fn connector(
    https: bool,
    authorities_pem: &[u8],
) -> Result<HttpsConnector<HttpConnector>, PushError> {
    let mut roots = RootCertStore::empty();
    if https {
        // One broken certificate of the system's must not take the others away.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for cert in rustls_pemfile::certs(&mut &authorities_pem[..]) {
            roots.add(cert.map_err(PushError::tls)?).map_err(PushError::tls)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(PushError::tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
}
