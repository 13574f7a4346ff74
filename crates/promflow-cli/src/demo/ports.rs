//! Ports: the usual ones where they are free, others where they are not.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};

use crate::server::bind;

/// Returns a loopback address.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Binds the address asked for, or the usual one, or any where that is taken.
///
/// Errors: the address asked for is taken.
pub(crate) fn server(asked: Option<&str>, usual: &str) -> Result<TcpListener> {
    match asked {
        Some(address) => bind(address),
        None => TcpListener::bind(usual)
            .or_else(|_| TcpListener::bind(loopback(0)))
            .context("no loopback port is free"),
    }
}

/// Returns the port if it is free, else one that is.
///
/// Errors: no loopback port is free.
pub(crate) fn free_or_other(port: u16) -> Result<u16> {
    let listener = TcpListener::bind(loopback(port))
        .or_else(|_| TcpListener::bind(loopback(0)))
        .context("no loopback port is free")?;
    Ok(listener.local_addr().context("the socket has no address")?.port())
}
