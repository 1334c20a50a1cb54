//! go: modules are fetched, vendored and compiled. `go generate`, `go run` and `go test` run programs of
//! the project and are not described.

use super::super::Extent;
use super::super::argument::Argument;
use super::super::options::{Parsed, Spec, parse};
use super::{Call, Described, common};

/// Go's options have one dash; the table has them as long names.
#[rustfmt::skip]
const GO: Spec = Spec {
    letters: "",
    letters_with_value: "",
    names: &[
        "a", "n", "race", "msan", "asan", "cover", "v", "x", "i", "trimpath", "linkshared",
        "buildvcs", "json", "modcacherw", "u", "d", "t", "e", "cache", "modcache", "testcache",
        "r", "w",
    ],
    names_with_value: &[
        "o", "p", "asmflags", "buildmode", "compiler", "covermode", "coverpkg", "gccgoflags",
        "gcflags", "installsuffix", "ldflags", "mod", "tags", "pgo", "go", "compat",
    ],
};

/// Settings that change nothing that counts.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "CGO_ENABLED", "GO111MODULE", "GO386", "GOAMD64", "GOARCH", "GOARM", "GOARM64", "GOAUTH",
    "GODEBUG", "GOEXPERIMENT", "GOFIPS140", "GOGC", "GOINSECURE", "GOMAXPROCS", "GOMEMLIMIT",
    "GOMIPS", "GONOPROXY", "GONOSUMCHECK", "GONOSUMDB", "GOOS", "GOPRIVATE", "GOPROXY",
    "GORISCV64", "GOSUMDB", "GOTELEMETRY", "GOTOOLCHAIN", "GOVCS", "GOVERSION", "GOWASM",
];

/// Settings that name directories.
#[rustfmt::skip]
const PLACES: &[&str] = &[
    "GOBIN", "GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT", "GOTMPDIR",
];

/// Settings that go has and that are not followed.
#[rustfmt::skip]
const UNCLEAR: &[&str] = &[
    "GOCACHEPROG", "GOENV", "GOTOOLDIR", "GOHOSTOS", "GCCGO", "GOPACKAGESDRIVER", "PKG_CONFIG",
    "PKG_CONFIG_PATH", "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_FFLAGS", "CGO_LDFLAGS",
    "CC", "CXX", "AR", "FC", "CPATH", "LIBRARY_PATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH",
];

/// Flags in `GOFLAGS` and values of `-ldflags` and the like that name no other program or file.
fn is_plain_flag(word: &str) -> bool {
    let plain = [
        "-mod=mod",
        "-mod=readonly",
        "-mod=vendor",
        "-trimpath",
        "-modcacherw",
        "-v",
        "-x",
        "-a",
        "-race",
    ];
    plain.contains(&word)
        || ["-tags=", "-buildvcs=", "-p=", "-ldflags=-"]
            .iter()
            .any(|p| word.starts_with(p))
}

/// Describes go.
pub(super) fn run(call: &mut Call<'_>) -> Described {
    let parsed = parse(&common::with_two_dashes(call.arguments), &GO)?;
    settings(call)?;
    let texts = common::texts(&parsed.operands)?;
    match texts.as_slice() {
        // Either may fetch the toolchain that go.mod names.
        ["version"] | ["env", ..] if !parsed.has(&["w"]) => own_files(call),
        ["mod", "download", ..] => download(call),
        ["mod", "verify" | "graph"] => download(call),
        ["mod", "tidy"] => {
            sources(call)?;
            manifests(call, true)
        }
        ["mod" | "work", "vendor"] => {
            let parsed = outputs(call, &parsed)?;
            sources(call)?;
            if !parsed {
                let directory = call.directory()?.to_string();
                call.write_upwards(&directory, &["vendor"], Extent::Subtree);
            }
            Ok(())
        }
        ["get", packages @ ..] => {
            own_files(call)?;
            manifests(call, true)?;
            sources(call)?;
            match packages.iter().all(|p| !p.starts_with('/')) {
                true => Ok(()),
                false => Err("a package is a directory elsewhere".to_string()),
            }
        }
        ["build", packages @ ..] => {
            sources(call)?;
            elsewhere(call, packages)?;
            if !outputs(call, &parsed)? {
                // A program is named after its package or module.
                let directory = call.directory()?.to_string();
                call.claims.write(Extent::Subtree, directory);
            }
            Ok(())
        }
        ["vet" | "list", packages @ ..] => {
            elsewhere(call, packages)?;
            sources(call)
        }
        ["install", packages @ ..] => {
            let versioned = !packages.is_empty() && packages.iter().all(|p| p.contains('@'));
            if versioned {
                own_files(call)?;
            } else {
                elsewhere(call, packages)?;
                sources(call)?;
            }
            // Beside the toolchain, for what is part of it.
            call.claims.write_all(&["/usr/local/go"]);
            Ok(())
        }
        ["clean", packages @ ..]
            if packages.is_empty() && parsed.has(&["cache", "modcache", "testcache"]) =>
        {
            own_files(call)?;
            let directory = call.directory()?.to_string();
            call.claims.write(Extent::Subtree, directory);
            Ok(())
        }
        ["env", pairs @ ..] if parsed.has(&["w"]) => {
            let harmless = |p: &&str| HARMLESS.contains(&p.split('=').next().unwrap_or(""));
            if !pairs.iter().all(harmless) {
                return Err("the setting is not known".to_string());
            }
            own_files(call)?;
            Ok(())
        }
        ["generate" | "run" | "test" | "tool", ..] => {
            Err("it runs programs that the project names".to_string())
        }
        _ => Err(format!("what `{}` does is not known", texts.join(" "))),
    }
}

/// Looks at the variables.
fn settings(call: &mut Call<'_>) -> Described {
    let compiles = call.setting("CGO_ENABLED")?.as_deref() != Some("0");
    call.refuse(|n| {
        let cgo = !n.starts_with("GO") && n != "GCCGO";
        UNCLEAR.contains(&n) && (compiles || !cgo)
    })?;
    if let Some(flags) = call.setting("GOFLAGS")?
        && !flags.split_whitespace().all(is_plain_flag)
    {
        return Err("GOFLAGS is set".to_string());
    }
    match call.setting("GOWORK")?.as_deref() {
        None | Some("off") => Ok(()),
        Some(_) => Err("GOWORK is set".to_string()),
    }
}

/// Caches, settings and what go installs.
fn own_files(call: &mut Call<'_>) -> Described {
    call.claims.network = true;
    call.tool(&["go", ".cache"])?;
    if let Some(path) = call.setting("GOPATH")? {
        // It may be a list.
        for one in path.split(':').filter(|p| !p.is_empty()) {
            call.keep_in(one)?;
        }
    }
    let others: Vec<&str> = PLACES.iter().copied().filter(|p| *p != "GOPATH").collect();
    call.moved(&others)?;
    call.keep_in("/go")?;
    let directory = call.directory()?.to_string();
    call.read_upwards(&directory, &["go.mod", "go.sum", "go.work", "go.work.sum"]);
    call.claims.assume(
        "go keeps its modules, caches and programs below GOPATH, GOCACHE, GOMODCACHE, GOBIN, /go or the \
         home directory, and temporary files in /tmp, and no `go env -w` of a step before moves them",
    );
    Ok(())
}

/// The manifests of the module, all above included.
fn manifests(call: &mut Call<'_>, changes: bool) -> Described {
    let directory = call.directory()?.to_string();
    let files: &[&str] = if changes {
        &["go.mod", "go.sum", "go.work", "go.work.sum"]
    } else {
        &["go.sum"]
    };
    call.write_upwards(&directory, files, Extent::Exact);
    Ok(())
}

fn download(call: &mut Call<'_>) -> Described {
    own_files(call)?;
    manifests(call, false)?;
    call.claims.assume(
        "go mod download reads only go.mod, go.sum and go.work of its directory and those above it, none \
         of which names a local directory",
    );
    Ok(())
}

/// Everything that takes part in a build: the tree, the modules and the compilers.
fn sources(call: &mut Call<'_>) -> Described {
    own_files(call)?;
    let directory = call.directory()?.to_string();
    call.read_tree(&directory);
    // Releases before 1.16 add what is missing.
    manifests(call, true)?;
    call.claims.assume(format!(
        "no go.mod or go.work names a directory outside {}, and compilers that cgo runs read only the \
         system's directories and the module and write only caches and /tmp",
        common::top_of(&directory)
    ));
    Ok(())
}

/// Packages that are directories: outside of the tree they are read too.
fn elsewhere(call: &mut Call<'_>, packages: &[&str]) -> Described {
    for package in packages.iter().filter(|p| p.starts_with(['/', '.'])) {
        let path = call.resolve(package.trim_end_matches("..."))?;
        call.read_tree(&path);
    }
    Ok(())
}

/// Claims the outputs options name; whether there are any.
fn outputs(call: &mut Call<'_>, parsed: &Parsed) -> Result<bool, String> {
    for value in parsed.values(&["ldflags", "gcflags", "asmflags", "gccgoflags"]) {
        let text = value.start();
        if ["-extld", "-toolexec", "-cpuprofile", "-o ", "-L", "-r "]
            .iter()
            .any(|f| text.contains(f) && !text.contains("-extldflags"))
        {
            return Err("a flag names other files or programs".to_string());
        }
    }
    if let Some(profile) = parsed.values(&["pgo"]).last()
        && !matches!(profile.known(), Some("auto" | "off"))
    {
        call.read(profile, Extent::Exact)?;
    }
    let mut named = false;
    for output in parsed.values(&["o"]).cloned().collect::<Vec<Argument>>() {
        call.create_directories(&output)?;
        call.write(&output, Extent::Subtree)?;
        named = true;
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    const MOD: &str = "/app/go.mod /app/go.sum /app/go.work /app/go.work.sum /go/** /root/** tmp";

    #[rustfmt::skip]
    const LINES: &[(&str, &str, &str)] = &[
        ("CGO_ENABLED=0 GOOS=linux go build -ldflags=\"-s -w -X main.v=$VERSION\" -o /out/app ./cmd/app", "net /app/** /root/** /opt/**", " /out /out/app/**"),
        ("go build -v -trimpath -tags netgo -o app .", "net /app/**", " /app /app/app/**"),
        ("go build -mod=vendor ./...", "net /app/**", " /app/**"),
        ("cd cmd/x && go build -o /x", "net /app/**", " /app/cmd/go.mod /app/cmd/go.sum /app/cmd/go.work /app/cmd/go.work.sum /app/cmd/x/go.mod /app/cmd/x/go.sum /app/cmd/x/go.work /app/cmd/x/go.work.sum /x/**"),
        ("go build -o /x ../other", "net /app/** /other/**", " /x/**"),
        ("go mod tidy", "net /app/**", ""),
        ("go mod vendor", "net /app/**", " /app/vendor/**"),
        ("go get -u example.org/x@v1", "net /app/**", ""),
        ("go vet ./...", "net /app/**", ""),
        ("GOCACHE=/c go vet ./...", "net /c/**", " /c/**"),
        ("GOPATH=/p:/q go vet ./...", "net /p/**", " /p/** /q/**"),
        ("GOFLAGS='-mod=vendor -buildvcs=false' go vet", "net", ""),
        ("go install ./cmd/x", "net /app/**", " /usr/local/go/**"),
    ];

    #[rustfmt::skip]
    const OTHERS: &[Line] = &[
        ("go mod download -x", "", "net /app/go.mod /app/go.sum /app/go.work /go.mod", "/app/go.sum /go/** /root/** tmp"),
        ("go install golang.org/x/tools/cmd/stringer@latest", "", "net /app/go.mod", "/go/** /root/** /usr/local/go/** tmp"),
        ("GOBIN=/b go install example.org/x@v1", "", "net", "/b/** /go/** /root/** /usr/local/go/** tmp"),
        ("go clean -cache -modcache", "", "net", "/app/** /go/** /root/** tmp"),
        ("go env -w GOPROXY=https://p,direct", "", "net", "/go/** /root/** tmp"),
        ("go env -w GOMODCACHE=/x", "setting", "", ""),
        ("go version", "", "net /app/go.mod", "/go/** /root/** tmp"),
        ("go generate ./...", "programs", "", ""),
        ("go run main.go", "programs", "", ""),
        ("go test ./...", "programs", "", ""),
        ("go build -toolexec x .", "option --toolexec", "", ""),
        ("go build -overlay o.json", "option --overlay", "", ""),
        ("go build -ldflags '-extld /x'", "a flag names", "", ""),
        ("go build $FLAGS .", "argument $", "", ""),
        ("go build -o $OUT .", "a path is not known", "", ""),
        ("GOFLAGS=-modfile=/x go build", "GOFLAGS is set", "", ""),
        ("GOWORK=/x go build", "GOWORK is set", "", ""),
        ("GOENV=/x go build", "GOENV is set", "", ""),
        ("CGO_CFLAGS=-I/x go build", "CGO_CFLAGS is set", "", ""),
        ("GOPATH=$NOPE go mod download", "GOPATH is not known", "", ""),
    ];

    #[test]
    fn go_has_its_footprints() {
        for (script, reads, more) in LINES {
            let writes: &'static str = format!("{MOD}{more}").leak();
            check(&[(script, "", reads, writes)]);
        }
        check(OTHERS);
    }
}
