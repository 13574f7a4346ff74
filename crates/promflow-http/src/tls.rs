//! TLS from the settings.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use promflow_config::{TlsConfig, TlsVersion};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};

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
        builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustedServer::new(config, provider)?))
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

/// Returns the authorities to trust; `None` for the system's.
fn authorities(config: &TlsConfig) -> Result<Option<Vec<CertificateDer<'static>>>, HttpError> {
    let Some(ca) = text(&config.ca, config.ca_file.as_ref(), "CA cert")? else { return Ok(None) };
    certificates(&ca, "CA cert").map(Some)
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

/// Takes what the authorities signed, and a self-signed certificate that is itself among them, as Go does.
#[derive(Debug)]
struct TrustedServer {
    inner: Arc<WebPkiServerVerifier>,
    authorities: Vec<CertificateDer<'static>>,
}

impl TrustedServer {
    fn new(config: &TlsConfig, provider: Arc<CryptoProvider>) -> Result<Self, HttpError> {
        let unusable = |e: &dyn std::fmt::Display| {
            HttpError::new(HttpErrorKind::Credentials, format!("unable to use specified CA cert: {e}"))
        };
        let (roots, authorities) = match authorities(config)? {
            None => (system_roots().clone(), Vec::new()),
            Some(authorities) => {
                let mut roots = RootCertStore::empty();
                for certificate in &authorities {
                    roots.add(certificate.clone()).map_err(|e| unusable(&e))?;
                }
                (roots, authorities)
            }
        };
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|e| unusable(&e))?;
        Ok(Self { inner, authorities })
    }
}

impl ServerCertVerifier for TrustedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let refused =
            match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(why)))
                    if is_ca_as_end_entity(&why) && self.authorities.contains(end_entity) =>
                {
                    // The dates were found good before the certificate was found to be an authority's own.
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)
                }
                other => return other,
            };
        refused.map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Says whether a server was refused because it presents the certificate of an authority.
fn is_ca_as_end_entity(why: &OtherError) -> bool {
    // The library under rustls gives the name of its variant as text, and no way to match on it.
    why.0.to_string() == "CaUsedAsEndEntity"
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
