//! Serves the example backend, with traffic where asked for: `cargo run -p backend -- --traffic 20`.

use std::process::ExitCode;

use promflow::config::Settings;

const USAGE: &str = "usage: backend [--traffic REQUESTS_PER_SECOND]";

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    let rate = traffic_rate(std::env::args().skip(1))?;
    let settings = Settings::from_env().map_err(|e| e.to_string())?;
    let url = format!("http://127.0.0.1:{}", settings.port);
    println!("backend on {url}, metrics on {url}{}", settings.metrics_path);
    if let Some(rate) = rate {
        tokio::spawn(async move { backend::traffic::run(&url, rate, std::future::pending()).await });
    }
    let interrupted = async {
        if let Err(e) = tokio::signal::ctrl_c().await {
            eprintln!("cannot wait for ctrl-c: {e}");
            std::future::pending::<()>().await;
        }
    };
    backend::run(settings, backend::Options::default(), interrupted).await.map_err(|e| e.to_string())
}

fn traffic_rate(mut arguments: impl Iterator<Item = String>) -> Result<Option<f64>, String> {
    let Some(flag) = arguments.next() else {
        return Ok(None);
    };
    if flag != "--traffic" {
        return Err(format!("unknown argument {flag:?}\n{USAGE}"));
    }
    let rate = arguments.next().ok_or_else(|| format!("--traffic needs a number\n{USAGE}"))?;
    match rate.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1000.0 => Ok(Some(rate)),
        _ => Err(format!("invalid value {rate:?} of --traffic: expected a number from 0 to 1000")),
    }
}
