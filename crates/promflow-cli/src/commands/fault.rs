//! `promflow fault NAME on|off`.

use anyhow::{Result, bail};
use promflow_config::HttpClientConfig;
use promflow_http::{HttpClient, Request};

use crate::args::{FaultArguments, Switch};
use crate::output::print;

/// Switches a fault of the demo's backend.
///
/// Errors: the backend does not answer, or does not know the fault.
pub(crate) async fn run(arguments: FaultArguments) -> Result<()> {
    let on = arguments.switch == Switch::On;
    let base = arguments.backend.trim_end_matches('/');
    let name: String = url::form_urlencoded::byte_serialize(arguments.name.as_bytes()).collect();
    let client = HttpClient::new(&HttpClientConfig::default())?;
    let mut body = Vec::new();
    let request = Request::post_form(format!("{base}/_faults/{name}?on={on}"), &[]);
    let response = match client.fetch(&request, &mut body).await {
        Ok(response) => response,
        Err(e) => bail!(
            "{e}\n\nhint: is the demo running? `promflow up` prints its backend's address; pass it with --backend"
        ),
    };
    let text = String::from_utf8_lossy(&body).trim().to_owned();
    if !response.status.is_success() {
        bail!("the backend answered {}: {text}", response.status_text());
    }
    print(&format!("{} is {}", arguments.name, if on { "on" } else { "off" }))?;
    Ok(())
}
