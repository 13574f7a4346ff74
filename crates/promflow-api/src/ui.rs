//! The page, out of the binary.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode, response};
use axum::response::{IntoResponse, Response};

/// A file of the page.
struct Asset {
    /// Its path below the page's root.
    path: &'static str,
    content_type: &'static str,
    /// Names its bytes, quoted as an `ETag` is.
    tag: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

/// The files that the build found in `ui/dist`, sorted by path.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/ui.rs"));

const PAGE: &str = "index.html";

/// What the page may load: its own files, and nothing that is written into it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

pub(crate) async fn page(headers: HeaderMap) -> Response {
    serve(PAGE, &headers)
}

pub(crate) async fn icon(headers: HeaderMap) -> Response {
    serve("icon.svg", &headers)
}

pub(crate) async fn licenses(headers: HeaderMap) -> Response {
    serve("licenses.txt", &headers)
}

pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&format!("assets/{name}"), &headers)
}

fn serve(path: &str, headers: &HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Names under assets/ hold a hash of their content; the page itself is asked for again each time.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let response = response::Builder::new()
        .header(ETAG, asset.tag)
        .header(CACHE_CONTROL, caching)
        .header(VARY, ACCEPT_ENCODING.as_str())
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(REFERRER_POLICY, "same-origin");
    let response = if is_known(headers, asset.tag) {
        response.status(StatusCode::NOT_MODIFIED).body(Body::empty())
    } else if takes_gzip(headers) {
        let response = response.header(CONTENT_TYPE, asset.content_type).header(CONTENT_ENCODING, "gzip");
        response.body(Body::from(asset.gzip))
    } else {
        response.header(CONTENT_TYPE, asset.content_type).body(Body::from(asset.bytes))
    };
    response.expect("BUG: the headers are constants")
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|list| list.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        is_gzip && !parts.any(|weight| weight.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(axum::http::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header"))).collect()
    }

    #[test]
    fn the_page_is_asked_for_again_and_its_files_are_kept() {
        let page = serve(PAGE, &headers(&[]));
        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(page.headers()[CACHE_CONTROL], "no-cache");
        assert!(
            page.headers()[CONTENT_SECURITY_POLICY]
                .to_str()
                .is_ok_and(|policy| policy.contains("script-src 'self'"))
        );
        let script = ASSETS.iter().find(|asset| asset.path.ends_with(".js")).expect("the page has a script");
        let answer = serve(script.path, &headers(&[(ACCEPT_ENCODING, "br, gzip;q=0.5")]));
        assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(answer.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(serve("assets/absent.js", &headers(&[])).status(), StatusCode::NOT_FOUND);
        assert_eq!(serve("../Cargo.toml", &headers(&[])).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_file_that_the_browser_has_is_not_sent_again() {
        let tag = serve(PAGE, &headers(&[])).headers()[ETAG].to_str().expect("text").to_owned();
        let tag: &'static str = Box::leak(format!("\"other\", W/{tag}").into_boxed_str());
        assert_eq!(serve(PAGE, &headers(&[(IF_NONE_MATCH, tag)])).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(serve(PAGE, &headers(&[(IF_NONE_MATCH, "\"other\"")])).status(), StatusCode::OK);
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accept, takes) in
            [("gzip", true), ("identity", false), ("gzip;q=0", false), ("*", true), ("", false)]
        {
            assert_eq!(takes_gzip(&headers(&[(ACCEPT_ENCODING, accept)])), takes, "{accept:?}");
        }
    }

    #[test]
    fn the_page_is_small() {
        let size: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(size < 600_000, "{size} bytes compressed");
        assert!(ASSETS.iter().all(|asset| !asset.bytes.is_empty()));
    }
}
