//! The real programs that tests run against.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A program of a Debian package.
const PEERS: [(&str, &str); 8] = [
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
    ("amtool", "prometheus-alertmanager"),
    ("prometheus-node-exporter", "prometheus-node-exporter"),
    ("redis-server", "redis-server"),
    ("prometheus-redis-exporter", "prometheus-redis-exporter"),
    ("chromium", "chromium"),
];

/// Installs the peers that are missing.
///
/// Errors: names the packages that cannot be installed.
pub(crate) fn install() -> Result<()> {
    let mut missing: Vec<&str> =
        PEERS.iter().filter(|(program, _)| !is_installed(program)).map(|(_, package)| *package).collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: installing {}", missing.join(", "));
    let _no_services = NoServices::hold()?;
    let outcome = apt(&["update"]).and_then(|()| {
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(&missing);
        apt(&arguments)
    });
    if let Err(e) = outcome {
        bail!(
            "the tests need the Debian packages {}: {e:#}\n\nhint: install them by hand and run again",
            missing.join(", ")
        );
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain([PathBuf::from("/usr/bin")]).any(|dir| dir.join(program).is_file())
}

fn apt(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .context("cannot start apt-get")?;
    if !output.status.success() {
        bail!("apt-get {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Keeps packages from starting their services while it lives.
struct NoServices {
    created: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn hold() -> Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { created: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(Self { created: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.created
            && let Err(e) = fs::remove_file(POLICY)
        {
            eprintln!("xtask: cannot remove {POLICY}: {e}");
        }
    }
}
