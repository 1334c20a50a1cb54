//! `go mod download`; everything else that go does compiles and is not described.

use super::super::Extent;
use super::{Call, Described};

/// Describes go.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let texts: Vec<&str> = call
        .arguments
        .iter()
        .map(|a| a.known().unwrap_or("$"))
        .collect();
    match texts.as_slice() {
        ["version"] | ["env"] => Ok(()),
        ["mod", "download"] | ["mod", "download", "-x"] => download(call),
        _ => Err("what it reads and writes is not known".to_string()),
    }
}

fn download(call: &mut Call<'_>) -> Described {
    for name in ["GOFLAGS", "GOWORK", "GOMODCACHE", "GOENV", "GOTMPDIR"] {
        if call.shell.variables.contains_key(name) {
            return Err(format!("{name} is set"));
        }
    }
    let cwd = call.directory()?.to_string();
    for file in ["go.mod", "go.sum", "go.work", "go.work.sum"] {
        call.claims.read(
            Extent::Exact,
            format!("{}/{file}", cwd.trim_end_matches('/')),
        );
    }
    call.claims.write(
        Extent::Exact,
        format!("{}/go.sum", cwd.trim_end_matches('/')),
    );
    match call.shell.variables.get("GOPATH") {
        Some(Some(path)) => {
            let path = call.resolve(path)?;
            call.claims.write(Extent::Subtree, path);
        }
        Some(None) => return Err("GOPATH is not known".to_string()),
        None => call.claims.write_all(&["/go"]),
    }
    let home = call.home()?;
    call.claims.write_all(&[&home, "/tmp"]);
    call.claims.network = true;
    call.claims.assume(
        "go mod download reads only go.mod, go.sum and go.work of its directory, none of which names \
         a local directory, and writes only below GOPATH, /go, the home directory and /tmp",
    );
    Ok(())
}
