//! A tower layer that measures outgoing calls: to Stripe, to VAPI, to any API by its name.
//!
//! It stands around the client, so that each attempt of a retrying client counts when it is inside, and each call
//! when it is outside. For a call that does not go through a tower service: [`crate::paid_api::Operation::measure`].
//!
//! ```
//! use http::{Request, Response};
//! use promflow::client::{ApiLayer, OperationName, SpentUsd};
//! use promflow::paid_api::Api;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), std::convert::Infallible> {
//! # async fn send(_: Request<String>) -> Result<Response<String>, std::convert::Infallible> {
//! #     Ok(Response::new(String::new()))
//! # }
//! let registry = promflow::Registry::new();
//! let layer = ApiLayer::new(Api::stripe(&registry));
//! let mut stripe = ServiceBuilder::new().layer(layer).service_fn(send);
//!
//! let mut request = Request::post("https://api.stripe.com/v1/charges").body(String::new()).unwrap();
//! request.extensions_mut().insert(OperationName("create_charge"));
//! stripe.ready().await?.call(request).await?;
//!
//! let page = String::from_utf8(registry.encode(promflow::Format::Text)).unwrap();
//! assert!(page.contains(r#"stripe_api_calls_total{operation="create_charge",outcome="success"} 1"#));
//! # Ok(())
//! # }
//! ```

use std::borrow::Cow;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Method, Request, Response};
use pin_project_lite::pin_project;
use promflow_registry::OVERFLOW;
use tower_layer::Layer;
use tower_service::Service;

use crate::paid_api::{Api, Operation, Outcome, Running};

/// What a request asks of the API (`create_charge`), in the request's extensions; without it, the method is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationName(pub &'static str);

/// What a call cost, in the response's extensions.
///
/// Units: US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpentUsd(pub f64);

/// Reads from requests and answers what is counted; [`HttpCalls`] does it for those of the crate `http`.
///
/// A client with types of its own, such as reqwest's, needs one:
///
/// ```
/// use std::borrow::Cow;
/// use promflow::client::Calls;
/// use promflow::paid_api::Outcome;
///
/// # mod reqwest { pub struct Request; pub struct Error; pub struct Response; impl Response { pub fn status(&self) -> u16 { 200 } } }
/// struct ReqwestCalls;
///
/// impl Calls<reqwest::Request, reqwest::Response, reqwest::Error> for ReqwestCalls {
///     fn operation<'r>(&self, _request: &'r reqwest::Request) -> Cow<'r, str> {
///         "create_call".into()
///     }
///
///     fn outcome(&self, answer: &Result<reqwest::Response, reqwest::Error>) -> Outcome {
///         answer.as_ref().map_or(Outcome::Error, |response| Outcome::from_status(response.status()))
///     }
/// }
/// ```
pub trait Calls<Req, Res, E>: Send + Sync + 'static {
    /// Names what is asked for: one of few names, never a URL.
    fn operation<'r>(&self, request: &'r Req) -> Cow<'r, str>;

    /// Tells how the call ended.
    fn outcome(&self, answer: &Result<Res, E>) -> Outcome;

    /// Tells what the call cost.
    ///
    /// Units: US dollars.
    fn spent_usd(&self, _answer: &Res) -> Option<f64> {
        None
    }
}

/// Reads [`OperationName`], the status and [`SpentUsd`].
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpCalls;

impl<B, R, E> Calls<Request<B>, Response<R>, E> for HttpCalls {
    fn operation<'r>(&self, request: &'r Request<B>) -> Cow<'r, str> {
        let name = match (request.extensions().get::<OperationName>(), request.method()) {
            (Some(OperationName(name)), _) => name,
            (None, &Method::GET) => "get",
            (None, &Method::HEAD) => "head",
            (None, &Method::POST) => "post",
            (None, &Method::PUT) => "put",
            (None, &Method::PATCH) => "patch",
            (None, &Method::DELETE) => "delete",
            (None, _) => OVERFLOW,
        };
        Cow::Borrowed(name)
    }

    fn outcome(&self, answer: &Result<Response<R>, E>) -> Outcome {
        answer.as_ref().map_or(Outcome::Error, |response| Outcome::from_status(response.status().as_u16()))
    }

    fn spent_usd(&self, answer: &Response<R>) -> Option<f64> {
        answer.extensions().get::<SpentUsd>().map(|spent| spent.0)
    }
}

/// Measures the calls of the client below.
#[derive(Debug)]
pub struct ApiLayer<C = HttpCalls> {
    api: Api,
    calls: Arc<C>,
}

impl ApiLayer {
    /// Makes the layer for a client with the types of the crate `http`.
    pub fn new(api: Api) -> Self {
        Self::with_calls(api, HttpCalls)
    }
}

impl<C> ApiLayer<C> {
    /// Makes the layer for a client with types of its own.
    pub fn with_calls(api: Api, calls: C) -> Self {
        Self { api, calls: Arc::new(calls) }
    }
}

impl<C> Clone for ApiLayer<C> {
    fn clone(&self) -> Self {
        Self { api: self.api.clone(), calls: self.calls.clone() }
    }
}

impl<S, C> Layer<S> for ApiLayer<C> {
    type Service = ApiService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ApiService { inner, layer: self.clone() }
    }
}

/// A client whose calls are measured.
#[derive(Debug)]
pub struct ApiService<S, C = HttpCalls> {
    inner: S,
    layer: ApiLayer<C>,
}

impl<S: Clone, C> Clone for ApiService<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<S, Req, C> Service<Req> for ApiService<S, C>
where
    S: Service<Req>,
    C: Calls<Req, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CallFuture<S::Future, C, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let operation = self.layer.api.operation(&self.layer.calls.operation(&request));
        // A call that panics or is given up is an error: it is counted when the future is dropped.
        let running = Running::start(operation);
        let inner = self.inner.call(request);
        CallFuture { inner, running: Some(running), calls: self.layer.calls.clone(), request: PhantomData }
    }
}

pin_project! {
    /// The answer to a measured call; its time ends with the head of the answer.
    pub struct CallFuture<F, C, Req> {
        #[pin]
        inner: F,
        running: Option<Running<Operation>>,
        calls: Arc<C>,
        request: PhantomData<fn(Req)>,
    }
}

impl<F, C, Req, Res, E> Future for CallFuture<F, C, Req>
where
    F: Future<Output = Result<Res, E>>,
    C: Calls<Req, Res, E>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(cx));
        if let Some(running) = this.running.take() {
            let spent = answer.as_ref().ok().and_then(|answer| this.calls.spent_usd(answer));
            running.end(this.calls.outcome(&answer), spent);
        }
        Poll::Ready(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use promflow_registry::{Format, Registry};
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;

    fn get(operation: &'static str) -> Request<u16> {
        let mut request = Request::get("http://api/x").body(200).unwrap();
        request.extensions_mut().insert(OperationName(operation));
        request
    }

    async fn answer(request: Request<u16>) -> Result<Response<()>, &'static str> {
        let status = request.into_body();
        if status == 0 {
            return Err("no connection");
        }
        let mut response = Response::builder().status(status).body(()).unwrap();
        response.extensions_mut().insert(SpentUsd(0.25));
        Ok(response)
    }

    #[tokio::test]
    async fn calls_are_counted_by_operation_and_outcome() {
        let registry = Registry::new();
        let layer = ApiLayer::new(Api::named(&registry, "openai"));
        let client = ServiceBuilder::new().layer(layer).service_fn(answer);
        for status in [200, 429, 503, 0] {
            let mut request = get("complete");
            *request.body_mut() = status;
            let _ = client.clone().oneshot(request).await;
        }
        client.clone().oneshot(Request::delete("http://api/x/7").body(204).unwrap()).await.unwrap();
        let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
        for line in [
            r#"openai_api_calls_total{operation="complete",outcome="success"} 1"#,
            r#"openai_api_calls_total{operation="complete",outcome="rate_limited"} 1"#,
            r#"openai_api_calls_total{operation="complete",outcome="error"} 2"#,
            r#"openai_api_calls_total{operation="delete",outcome="success"} 1"#,
            r#"openai_api_calls_total{operation="delete",outcome="error"} 0"#,
            r#"openai_api_call_duration_seconds_count{operation="complete"} 4"#,
            r#"openai_spend_usd_total{operation="complete"} 0.75"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is not in\n{page}");
        }
    }

    #[tokio::test]
    async fn call_that_is_given_up_is_an_error() {
        let registry = Registry::new();
        let layer = ApiLayer::new(Api::vapi(&registry));
        let never = |_: Request<u16>| std::future::pending::<Result<Response<()>, Infallible>>();
        let client = ServiceBuilder::new().layer(layer).service_fn(never);
        let soon = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, client.oneshot(get("call"))).await.is_err());
        let page = String::from_utf8(registry.encode(Format::Text)).unwrap();
        assert!(page.contains("vapi_api_calls_total{operation=\"call\",outcome=\"error\"} 1\n"), "{page}");
    }
}
