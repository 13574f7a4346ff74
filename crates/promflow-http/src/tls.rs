//! TLS from the settings.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use promflow_config::{TlsConfig, TlsVersion};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};

use crate::credentials::plain;
use crate::error::{HttpError, HttpErrorKind};

/// What is known of the files without reading them; a change means that TLS has to be set up anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileStamps(Vec<Option<(SystemTime, u64)>>);

impl FileStamps {
    pub(crate) fn of(config: &TlsConfig) -> Self {
        let files = [&config.ca_file, &config.cert_file, &config.key_file];
        let stamp = |file: &Path| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        Self(files.into_iter().flatten().map(|file| stamp(file)).collect())
    }
}

/// Sets up TLS.
///
/// Errors: a file cannot be read or holds no PEM; a version that rustls does not have.
pub(crate) fn client_config(config: &TlsConfig) -> Result<ClientConfig, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(config)?)
        .map_err(|e| HttpError::new(HttpErrorKind::Invalid, format!("tls: {e}")))?;
    let builder = if config.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate { provider }))
    } else {
        builder.with_root_certificates(roots(config)?)
    };
    let cert = text(&config.cert, config.cert_file.as_ref(), "client cert")?;
    let key = text(config.key.expose(), config.key_file.as_ref(), "client key")?;
    match (cert, key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(&cert, "client cert")?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| {
                HttpError::new(HttpErrorKind::Credentials, format!("unable to use client key: {e}"))
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|e| {
                HttpError::new(
                    HttpErrorKind::Credentials,
                    format!("unable to use specified client cert and key: {e}"),
                )
            })
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

/// Checks the settings that no file can change.
///
/// Errors: no version that rustls has lies within the bounds.
pub(crate) fn versions(config: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, HttpError> {
    let allowed = |version: TlsVersion| {
        config.min_version.is_none_or(|min| version >= min)
            && config.max_version.is_none_or(|max| version <= max)
    };
    let mut versions = Vec::new();
    if allowed(TlsVersion::Tls12) {
        versions.push(&rustls::version::TLS12);
    }
    if allowed(TlsVersion::Tls13) {
        versions.push(&rustls::version::TLS13);
    }
    if versions.is_empty() {
        let max = config.max_version.map_or("", TlsVersion::as_str);
        return Err(HttpError::new(HttpErrorKind::Invalid, format!("not supported yet: TLS up to {max}")));
    }
    Ok(versions)
}

fn roots(config: &TlsConfig) -> Result<RootCertStore, HttpError> {
    let Some(ca) = text(&config.ca, config.ca_file.as_ref(), "CA cert")? else {
        return Ok(system_roots().clone());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&ca, "CA cert")? {
        roots.add(certificate).map_err(|e| {
            HttpError::new(HttpErrorKind::Credentials, format!("unable to use specified CA cert: {e}"))
        })?;
    }
    Ok(roots)
}

/// Returns the system's authorities, read once; what cannot be read is left out, as Go does.
fn system_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

fn text(inline: &str, file: Option<&PathBuf>, what: &str) -> Result<Option<String>, HttpError> {
    match file {
        Some(file) => std::fs::read_to_string(file).map(Some).map_err(|e| {
            let text = format!("unable to read {what} \"{}\": {}", file.display(), plain(&e));
            HttpError::new(HttpErrorKind::Credentials, text)
        }),
        None => Ok((!inline.is_empty()).then(|| inline.to_owned())),
    }
}

fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let unusable =
        |why: String| HttpError::new(HttpErrorKind::Credentials, format!("unable to use {what}: {why}"));
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| unusable(e.to_string()))?;
    if certificates.is_empty() { Err(unusable("no certificate found".to_owned())) } else { Ok(certificates) }
}

/// Takes any certificate, but still checks that the server has its key.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
