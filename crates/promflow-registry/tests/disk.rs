//! Disks that are full and directories that cannot be written, as the kernel has them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use promflow_registry::{ArenaErrorKind, OVERFLOW, Options, Registry, SharedOptions, Warning};

/// A user that is not root and owns nothing.
const NOBODY: &str = "65534";

fn open(path: &Path) -> Result<Registry, promflow_registry::ArenaError> {
    Registry::open_shared(path, Options::default(), &SharedOptions::default())
}

/// Runs one of the jobs of [`child_process`] in this program, started by a shell behind some commands.
fn run(wrapper: &[&str], before: &str, path: &Path, job: &str) -> Output {
    let mut command = match wrapper {
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg("sh");
            command
        }
        [] => Command::new("sh"),
    };
    command
        .args(["-c", &format!("{before} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child_process", "--ignored", "--nocapture"])
        .env("ARENA", path)
        .env("JOB", job)
        .output()
        .unwrap()
}

fn assert_passed(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn child_process() {
    let path = std::env::var_os("ARENA").unwrap();
    let path = Path::new(&path);
    match std::env::var("JOB").unwrap().as_str() {
        "fill" => fill(path),
        _ => be_refused(path),
    }
}

/// Makes series until there is no room, and goes on: nothing is lost, and the reason is told once.
fn fill(path: &Path) {
    const SERIES: usize = 20_000;
    let registry = open(path).unwrap();
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let heard = warnings.clone();
    registry.on_warning(move |warning| heard.lock().unwrap().push(warning.clone()));
    let users = registry.counter("users_total", "Users.", &["user"]);
    for i in 0..SERIES {
        users.with_unlimited(&[&i.to_string()]).inc();
    }
    let mut sum = 0.0;
    users.for_each(|_, counter| sum += counter.value());
    assert_eq!(sum, SERIES as f64);
    assert!(users.with(&[OVERFLOW]).value() > 1000.0);
    let warnings = warnings.lock().unwrap();
    let of_users = warnings.iter().filter_map(|warning| match warning {
        Warning::Arena { metric, error } if metric == "users_total" => Some(&error.kind),
        _ => None,
    });
    let [kind] = of_users.collect::<Vec<_>>()[..] else { panic!("{warnings:?}") };
    assert!(matches!(kind, ArenaErrorKind::DiskFull | ArenaErrorKind::Io(_)), "{warnings:?}");
    // Handles and pages go on, and what needs no new memory does, too.
    let page = String::from_utf8(registry.encode(promflow_registry::Format::Text)).unwrap();
    assert!(page.contains("users_total{user=\"0\"} 1\n"));
    let late = registry.try_counter("late_total", &"Late. ".repeat(1000), &[]).unwrap_err().to_string();
    assert!(late.contains("cannot use shared registry"), "{late}");
}

fn be_refused(path: &Path) {
    let refused = open(&path.join("cells")).unwrap_err();
    assert!(matches!(refused.kind, ArenaErrorKind::ReadOnly(_)), "{refused}");
    let refused = open(&path.join("made")).unwrap_err();
    assert!(matches!(refused.kind, ArenaErrorKind::ReadOnly(_)), "{refused}");
    assert!(refused.to_string().contains("it cannot be written: Permission denied"), "{refused}");
}

#[test]
fn a_file_that_may_not_grow_counts_on_in_the_overflow_series() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells");
    // Blocks of 512 bytes; the signal would end the program, as it ends any that does not ask otherwise.
    let output = run(&[], "ulimit -f 512 && trap '' XFSZ", &path, "fill");
    assert_passed(&output);
    assert!(std::fs::metadata(&path).unwrap().len() <= 512 * 512);
    // Who may write more goes on with the same file.
    let registry = open(&path).unwrap();
    let users = registry.counter("users_total", "Users.", &["user"]);
    users.with_unlimited(&["new"]).inc();
    let mut sum = 0.0;
    users.for_each(|_, counter| sum += counter.value());
    assert_eq!(sum, 20_001.0);
    assert_eq!(users.with(&["new"]).value(), 1.0);
}

#[test]
fn a_full_file_system_counts_on_in_the_overflow_series() {
    let directory = tempfile::tempdir().unwrap();
    let namespace = ["unshare", "--map-root-user", "--mount"];
    let own = Command::new(namespace[0]).args(&namespace[1..]).arg("true").status();
    if !own.is_ok_and(|status| status.success()) {
        eprintln!("LEFT OUT: this system gives no mount namespace, so there is no small file system to fill");
        return;
    }
    let mount = format!("mount -t tmpfs -o size=512k tmpfs '{}'", directory.path().display());
    assert_passed(&run(&namespace, &mount, &directory.path().join("cells"), "fill"));
}

#[test]
fn a_disk_that_is_full_from_the_start_says_so() {
    let full = open(Path::new("/dev/full")).unwrap_err();
    assert!(matches!(full.kind, ArenaErrorKind::DiskFull | ArenaErrorKind::Io(_)), "{full}");
}

#[test]
fn directories_and_files_that_cannot_be_written_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made");
    drop(open(&made).unwrap());
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&made, 0o444);
    mode(directory.path(), 0o555);
    // Root may write everywhere, so that it has to become somebody else.
    let is_root = std::fs::write(directory.path().join("probe"), "").is_ok();
    let nobody = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
    let output = run(if is_root { &nobody } else { &[] }, "true", directory.path(), "be refused");
    mode(directory.path(), 0o755);
    assert_passed(&output);
}
