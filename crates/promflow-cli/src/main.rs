//! `promflow`: the engine, the demo, the flow chart and the questions, in one binary.

mod args;
mod clock;
mod commands;
#[cfg(feature = "demo")]
mod demo;
mod live;
mod logging;
mod output;
mod revision;
mod server;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Arguments, CheckCommand, Command};

fn main() -> ExitCode {
    let typed: Vec<String> = std::env::args().skip(1).collect();
    if let Some(flag) = args::first_not_yet(&typed) {
        eprintln!(
            "error: not supported yet: {flag}\n\nhint: `promflow serve --help` lists the flags there are"
        );
        return ExitCode::from(2);
    }
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments.command)),
        Err(e) => Err(anyhow::anyhow!("cannot start the runtime: {e}")),
    };
    match outcome {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    let done = match command {
        #[cfg(feature = "demo")]
        Command::Up(arguments) => demo::up(arguments).await,
        Command::Serve(arguments) => commands::serve::run(*arguments).await,
        Command::Flow(arguments) => commands::flow::run(*arguments).await,
        Command::Prune(arguments) => commands::prune::run(arguments).await,
        Command::Cardinality(arguments) => commands::cardinality::run(&arguments).await,
        #[cfg(feature = "demo")]
        Command::Fault(arguments) => commands::fault::run(arguments).await,
        Command::Query(command) => commands::query::run(command).await,
        #[cfg(feature = "demo")]
        Command::DemoPart(arguments) => demo::part(arguments).await,
        Command::Check(CheckCommand::Metrics(arguments)) => return Ok(commands::check::metrics(&arguments)),
    };
    done.map(|()| ExitCode::SUCCESS)
}
